-- Whose a file's data key is: that environment's which was served with it first. `code` is a one-way
-- function of the data key, in hexadecimal; `since` is in epoch milliseconds.
CREATE TABLE data_keys (
  code TEXT PRIMARY KEY,
  environment TEXT NOT NULL,
  since BIGINT NOT NULL,
  -- Another environment whose file had it too; none where it is empty.
  shared_with TEXT NOT NULL DEFAULT ''
);
CREATE INDEX data_keys_by_time ON data_keys (since);

-- Where the file was that was served last, as people are told of it.
ALTER TABLE versions ADD COLUMN place TEXT NOT NULL DEFAULT '';

-- What a digest is of has changed. The file that was the highest is newer than this, and each older
-- one is as old as it was.
UPDATE versions SET last_modified = last_modified - 1;
