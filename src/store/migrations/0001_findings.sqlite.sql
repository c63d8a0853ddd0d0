-- What was said of each picture. The columns are for queries; `finding` is the
-- whole of it as JSON, from which it is read back.
CREATE TABLE finding (
  id         TEXT NOT NULL PRIMARY KEY,  -- UUID version 7: the order of ids is the order of time
  created_at TEXT NOT NULL,              -- RFC 3339, UTC, milliseconds
  file_name  TEXT NOT NULL,
  verdict    TEXT NOT NULL CHECK (verdict IN ('normal', 'pneumonia')),
  normal     REAL NOT NULL,              -- per cent
  pneumonia  REAL NOT NULL,              -- per cent
  bacterial  REAL,                       -- per cent; null where the model does not tell
  viral      REAL,                       -- per cent; null where the model does not tell
  model      TEXT NOT NULL,
  finding    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The pictures as they came, apart, so that listing findings never reads them.
CREATE TABLE picture (
  finding_id TEXT NOT NULL PRIMARY KEY REFERENCES finding (id) ON DELETE CASCADE,
  bytes      BLOB NOT NULL
) STRICT;
