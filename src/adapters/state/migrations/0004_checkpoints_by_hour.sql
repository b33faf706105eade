-- Which checkpoint is the highest of its replica's hour is asked of each that is a day old.
CREATE INDEX checkpoints_by_hour ON checkpoints (replica, signed_at, sequence);
