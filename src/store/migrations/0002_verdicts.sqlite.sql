-- Two more verdicts, of which a rejected picture has no percentages. SQLite cannot change
-- a CHECK in place; and dropping `finding` while `picture` refers to it would delete the
-- pictures, so both are made anew and the old ones dropped in the order of their ties.
CREATE TABLE finding_2 (
  id         TEXT NOT NULL PRIMARY KEY,  -- UUID version 7: the order of ids is the order of time
  created_at TEXT NOT NULL,              -- RFC 3339, UTC, milliseconds
  file_name  TEXT NOT NULL,
  verdict    TEXT NOT NULL CHECK (verdict IN ('normal', 'pneumonia', 'uncertain', 'rejected')),
  normal     REAL,                       -- per cent; null where rejected
  pneumonia  REAL,                       -- per cent; null where rejected
  bacterial  REAL,                       -- per cent; null where the model does not tell
  viral      REAL,                       -- per cent; null where the model does not tell
  model      TEXT NOT NULL,
  finding    TEXT NOT NULL,
  CHECK ((verdict = 'rejected') = (normal IS NULL) AND (normal IS NULL) = (pneumonia IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO finding_2 SELECT * FROM finding;

CREATE TABLE picture_2 (
  finding_id TEXT NOT NULL PRIMARY KEY REFERENCES finding_2 (id) ON DELETE CASCADE,
  bytes      BLOB NOT NULL
) STRICT;
INSERT INTO picture_2 SELECT * FROM picture;

DROP TABLE picture;
DROP TABLE finding;
-- References follow the new names.
ALTER TABLE finding_2 RENAME TO finding;
ALTER TABLE picture_2 RENAME TO picture;
