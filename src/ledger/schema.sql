-- The ledger of one integration. On Cloudflare a row written is what costs,
-- so a new event writes two: its own, and its record's. Nothing else here is
-- written for every event.

-- One row: whose ledger this is, and what must outlive the memory.
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  confirmed_seq INTEGER NOT NULL DEFAULT 0, -- see events.confirmed_seq
  attempts INTEGER NOT NULL DEFAULT 0,      -- times sent again without an answer
  first_synced_at INTEGER,                  -- times are microseconds since 1970
  last_synced_at INTEGER
);

-- The log, which is also the outbox.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  key BLOB NOT NULL,              -- what makes two deliveries the same
  prev_seq INTEGER,               -- the event before about the same record
  received_at INTEGER NOT NULL,
  confirmed_seq INTEGER NOT NULL, -- the watermark then: it moves along for free
  model TEXT,
  record_id TEXT,
  name TEXT,                      -- the provider's name of the event
  kind TEXT,
  occurred_at INTEGER,
  quarantine TEXT,                -- why it isn't understood
  data TEXT,                      -- what is forwarded; NULL if in `large`
  body BLOB NOT NULL              -- the raw body, as received
);

-- Repetitions of events about a record are found along `prev_seq`, which
-- costs no row. Only events about no record need an index.
CREATE INDEX events_without_record ON events (key) WHERE record_id IS NULL;
CREATE INDEX events_quarantined ON events (seq) WHERE quarantine IS NOT NULL;

-- What is forwarded, where it doesn't fit into its event's row.
CREATE TABLE large (
  seq INTEGER PRIMARY KEY,
  data TEXT NOT NULL
);

-- The state of every record.
CREATE TABLE records (
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  last_seq INTEGER NOT NULL,      -- the last event about it, late ones included
  version INTEGER NOT NULL,       -- the last event folded into it
  fields TEXT NOT NULL,
  partial INTEGER NOT NULL,
  drift INTEGER NOT NULL,
  occurred_at INTEGER,            -- time and key of `version`, where events
  version_key BLOB NOT NULL,      -- carry their own time
  PRIMARY KEY (model, record_id)
) WITHOUT ROWID;

-- Packs that could not be applied, until they are redriven.
CREATE TABLE dead (
  first_seq INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  died_at INTEGER NOT NULL
);
