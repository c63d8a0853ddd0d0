-- Several studies may share a database. What a trial is stands in `record`, as JSON; the columns beside it
-- are those that workers compare when they take one.
CREATE TABLE study (
  name       TEXT NOT NULL PRIMARY KEY,
  settings   TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seconds    DOUBLE PRECISION NOT NULL,
  ticked_at  BIGINT NOT NULL
);
CREATE TABLE trial (
  study   TEXT NOT NULL REFERENCES study (name) ON DELETE CASCADE,
  number  BIGINT NOT NULL,
  state   TEXT NOT NULL,
  worker  TEXT NOT NULL,
  seen_at BIGINT NOT NULL,
  record  TEXT NOT NULL,
  PRIMARY KEY (study, number)
);
CREATE TABLE curve (
  study     TEXT NOT NULL,
  number    BIGINT NOT NULL,
  execution BIGINT NOT NULL,
  fold      BIGINT NOT NULL,
  epoch     BIGINT NOT NULL,
  figures   TEXT NOT NULL,
  PRIMARY KEY (study, number, execution, fold, epoch),
  FOREIGN KEY (study, number) REFERENCES trial (study, number) ON DELETE CASCADE
);
