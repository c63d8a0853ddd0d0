-- What was said of each picture. The columns are for queries; `finding` is the
-- whole of it as JSON, from which it is read back.
CREATE TABLE finding (
  id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,  -- UUID version 7: the order of ids is the order of time
  created_at TEXT COLLATE "C" NOT NULL,              -- RFC 3339, UTC, milliseconds
  file_name  TEXT NOT NULL,
  verdict    TEXT COLLATE "C" NOT NULL CHECK (verdict IN ('normal', 'pneumonia', 'uncertain', 'rejected')),
  normal     DOUBLE PRECISION,                       -- per cent; null where rejected
  pneumonia  DOUBLE PRECISION,                       -- per cent; null where rejected
  bacterial  DOUBLE PRECISION,                       -- per cent; null where the model does not tell
  viral      DOUBLE PRECISION,                       -- per cent; null where the model does not tell
  model      TEXT NOT NULL,
  finding    TEXT NOT NULL,
  CHECK ((verdict = 'rejected') = (normal IS NULL) AND (normal IS NULL) = (pneumonia IS NULL))
);

-- The pictures as they came, apart, so that listing findings never reads them.
CREATE TABLE picture (
  finding_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES finding (id) ON DELETE CASCADE,
  bytes      BYTEA NOT NULL
);
-- They are compressed already.
ALTER TABLE picture ALTER COLUMN bytes SET STORAGE EXTERNAL;
