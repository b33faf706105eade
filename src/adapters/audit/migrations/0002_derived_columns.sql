-- What entries are found by is derived from their lines, so that nobody who can write to the table
-- changes the one without the other: a query answers what `audit verify` verifies.
--
-- `chain` alone is said beside the line: a chain that was moved here out of a folder may have been
-- written under several names of its replica.
SET LOCAL statement_timeout = 0;

-- JSON of PostgreSQL knows no NUL, which a line may hold in a text that nobody looks for.
CREATE FUNCTION audit_entry(line TEXT) RETURNS JSONB LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT replace(line, '\u0000', '\ufffd')::jsonb $$;

-- The microseconds since 1970 of an entry's time, which is written as in 2026-01-05T10:00:00.5Z. The
-- functions that read any form of a time are not immutable.
CREATE FUNCTION audit_time(entry JSONB) RETURNS BIGINT LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
  AS $$
    SELECT (extract(epoch FROM make_timestamp(
      substr(it, 1, 4)::int, substr(it, 6, 2)::int, substr(it, 9, 2)::int,
      substr(it, 12, 2)::int, substr(it, 15, 2)::int, rtrim(substr(it, 18, 9), 'Z')::float8
    )) * 1000000)::bigint FROM (SELECT entry ->> 'time') AS read (it)
  $$;

ALTER TABLE audit RENAME COLUMN replica TO chain;
-- With the columns go their indexes and the primary key.
ALTER TABLE audit
  DROP COLUMN sequence, DROP COLUMN time, DROP COLUMN event, DROP COLUMN outcome,
  DROP COLUMN subject, DROP COLUMN environment, DROP COLUMN keys, DROP COLUMN jti,
  DROP COLUMN request_id;
ALTER TABLE audit
  ADD COLUMN sequence BIGINT NOT NULL
    GENERATED ALWAYS AS ((audit_entry(line) ->> 'sequence')::bigint) STORED,
  ADD COLUMN replica TEXT NOT NULL GENERATED ALWAYS AS (audit_entry(line) ->> 'replica') STORED,
  ADD COLUMN time BIGINT NOT NULL GENERATED ALWAYS AS (audit_time(audit_entry(line))) STORED,
  ADD COLUMN event TEXT NOT NULL GENERATED ALWAYS AS (audit_entry(line) ->> 'event') STORED,
  ADD COLUMN outcome TEXT NOT NULL GENERATED ALWAYS AS (audit_entry(line) ->> 'outcome') STORED,
  ADD COLUMN subject TEXT GENERATED ALWAYS AS (audit_entry(line) ->> 'subject') STORED,
  ADD COLUMN environment TEXT GENERATED ALWAYS AS (audit_entry(line) ->> 'environment') STORED,
  ADD COLUMN keys JSONB GENERATED ALWAYS AS (audit_entry(line) -> 'keys') STORED,
  ADD COLUMN jti TEXT GENERATED ALWAYS AS (audit_entry(line) ->> 'jti') STORED,
  ADD COLUMN request_id TEXT GENERATED ALWAYS AS (audit_entry(line) ->> 'request_id') STORED,
  ADD PRIMARY KEY (chain, sequence);
CREATE INDEX audit_by_subject ON audit (subject, written_by, position);
CREATE INDEX audit_by_replica ON audit (replica, written_by, position);
CREATE INDEX audit_by_time ON audit (time);
CREATE INDEX audit_by_key ON audit USING GIN (keys);
CREATE INDEX audit_by_request ON audit (request_id);
CREATE INDEX audit_by_jti ON audit (jti);
