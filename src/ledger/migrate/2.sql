-- From version 1, which 0.1.0 has made, to 2. Columns and tables are only
-- added, and none is required: the code of 0.1.0 goes on with what comes out,
-- as it must while a deployment is gradual or taken back.
ALTER TABLE ledger ADD COLUMN schema_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ledger ADD COLUMN min_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE ledger ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE segments ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
ALTER TABLE segments ADD COLUMN began_bytes INTEGER;
ALTER TABLE records ADD COLUMN occurred_ns INTEGER;
ALTER TABLE records ADD COLUMN drifted TEXT;
CREATE TABLE rebuilds (
  number INTEGER PRIMARY KEY,
  after_model TEXT NOT NULL,
  after_record_id TEXT NOT NULL,
  count INTEGER NOT NULL,
  done INTEGER NOT NULL,
  refused INTEGER NOT NULL DEFAULT 0,
  asked_at INTEGER NOT NULL,
  ended_at INTEGER
);
UPDATE ledger SET schema_version = 2;
