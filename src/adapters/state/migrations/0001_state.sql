-- What only the state store knows: uses left, revocations, and facts about the store itself.
CREATE TABLE tokens (
  jti TEXT PRIMARY KEY,
  uses_left BIGINT NOT NULL CHECK (uses_left >= 0),
  expires_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_end ON tokens (expires_at);

CREATE TABLE revocations (
  jti TEXT PRIMARY KEY,
  expires_at BIGINT NOT NULL
);

-- `created_at`: tokens that are older than the state are refused.
-- `revision_key`: the key of the HMAC that makes revisions, in hexadecimal.
CREATE TABLE facts (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
