-- The audit of all replicas, a chain each. A line is exactly what was signed and hashed; the other
-- columns are what entries are found by.
--
-- `position` is taken before a row can be seen, and the row of a lower one may be seen later. So the
-- order of all is by `written_by`, the transaction, and then by `position`: where all transactions
-- up to one have ended, nothing comes before its rows any more.
CREATE TABLE audit (
  replica TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  line TEXT NOT NULL,
  position BIGINT GENERATED ALWAYS AS IDENTITY UNIQUE,
  written_by XID8 NOT NULL DEFAULT pg_current_xact_id(),
  time BIGINT NOT NULL,
  event TEXT NOT NULL,
  outcome TEXT NOT NULL,
  subject TEXT,
  environment TEXT,
  keys TEXT[] NOT NULL,
  jti TEXT,
  request_id TEXT,
  PRIMARY KEY (replica, sequence)
);
CREATE INDEX audit_by_arrival ON audit (written_by, position);
CREATE INDEX audit_by_subject ON audit (subject, written_by, position);
CREATE INDEX audit_by_time ON audit (time);
CREATE INDEX audit_by_key ON audit USING GIN (keys);
CREATE INDEX audit_by_request ON audit (request_id);
CREATE INDEX audit_by_jti ON audit (jti);
