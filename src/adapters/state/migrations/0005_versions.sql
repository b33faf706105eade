-- The highest version of each environment's file that was served, so that an older one that is put
-- back is known also after a restart. `last_modified` is in epoch seconds, `digest` in hexadecimal,
-- of ciphertexts.
CREATE TABLE versions (
  environment TEXT PRIMARY KEY,
  last_modified BIGINT NOT NULL,
  digest TEXT NOT NULL
);
