-- The audit's signed heads. One that is higher than the audit's end tells that its tail was removed,
-- so none is replaced; of long ago, the highest of each hour is kept.
CREATE TABLE checkpoints (
  replica TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  hash TEXT NOT NULL,
  signed_at BIGINT NOT NULL,
  line TEXT NOT NULL,
  PRIMARY KEY (replica, sequence, hash)
);
CREATE INDEX checkpoints_by_moment ON checkpoints (signed_at);
