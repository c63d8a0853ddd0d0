-- Who may come in. Times are seconds since 1970.
CREATE TABLE account (
  id         TEXT NOT NULL PRIMARY KEY,  -- UUID version 7
  name       TEXT NOT NULL UNIQUE,       -- lower case
  role       TEXT NOT NULL CHECK (role IN ('reader', 'reviewer', 'admin')),
  password   TEXT,                       -- Argon2id, in its own form; null where an identity provider signs in
  issuer     TEXT,                       -- of the identity provider
  subject    TEXT,                       -- the person, as that provider knows them
  disabled   BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (issuer, subject)
);

-- Browsers that are signed in.
CREATE TABLE session (
  hash       TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of what the cookie holds
  account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  seen_at    BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX session_of_account ON session (account_id);

-- Keys of programs.
CREATE TABLE token (
  id         TEXT NOT NULL PRIMARY KEY,  -- UUID version 7
  hash       TEXT NOT NULL UNIQUE,       -- SHA-256 of the token
  account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  name       TEXT NOT NULL,
  scopes     TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX token_of_account ON token (account_id);

-- Whose findings are, and how much they hold.
CREATE TABLE belonging (
  finding_id TEXT NOT NULL PRIMARY KEY,
  account_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  bytes      BIGINT NOT NULL
);
CREATE INDEX belonging_of_account ON belonging (account_id, created_at, bytes);

-- What was done, by whom. Names, not keys: it outlives accounts.
CREATE TABLE audit (
  id         TEXT NOT NULL PRIMARY KEY,  -- UUID version 7: the order of ids is the order of time
  at         BIGINT NOT NULL,
  event      TEXT NOT NULL,
  account    TEXT NOT NULL,              -- its name; empty where nobody was signed in
  address    TEXT NOT NULL,              -- of the client; empty for the command line
  object     TEXT NOT NULL,              -- a finding's, an account's or a token's id or name; may be empty
  request_id TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_of_account ON audit (account, event, at);
