-- Revocations of tokens get the moment at which they were stored, so that a replica can ask for the
-- news alone; those of subjects are few, and are read whole.
ALTER TABLE revocations ADD COLUMN revoked_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX revocations_by_moment ON revocations (revoked_at);
CREATE INDEX revocations_by_end ON revocations (expires_at);

-- `blocked` is 0 or 1. `ends_at` is when the row has nothing to say any more; none while it blocks.
CREATE TABLE subject_revocations (
  subject TEXT PRIMARY KEY,
  not_before BIGINT NOT NULL,
  blocked BIGINT NOT NULL,
  ends_at BIGINT
);
