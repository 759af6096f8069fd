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
ALTER TABLE replays ADD COLUMN record_id TEXT;
ALTER TABLE replays ADD COLUMN written_as INTEGER;
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
CREATE TABLE kept_keys (
  seq INTEGER PRIMARY KEY,
  key BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  model TEXT,
  record_id TEXT
);
CREATE TABLE refolds (
  number INTEGER PRIMARY KEY,
  replay INTEGER NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  added INTEGER,
  through INTEGER,
  last_seq INTEGER,
  generation INTEGER,
  last_generation INTEGER,
  version INTEGER,
  changes TEXT,
  version_generation INTEGER,
  noticed TEXT,
  known_version INTEGER,
  fields TEXT,
  partial INTEGER,
  drift INTEGER,
  occurred_at INTEGER,
  occurred_ns INTEGER,
  version_key BLOB,
  occupancy BLOB,
  drifted TEXT
);
CREATE TABLE discards (
  number INTEGER PRIMARY KEY,
  status TEXT NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  done INTEGER NOT NULL,
  next_seq INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  ended_at INTEGER
);
CREATE TABLE unplaced (
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (model, record_id)
) WITHOUT ROWID;
CREATE INDEX kept_keys_by_key ON kept_keys (key);
UPDATE ledger SET schema_version = 2;
