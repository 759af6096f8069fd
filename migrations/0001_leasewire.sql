-- Everything that Leasewire keeps in D1. Times are RFC 3339 in UTC, with nine digits of a second, so
-- that their texts compare as they do. A database of 0.1.0 is brought here by `upgrade/0.1.0.sql`.

-- Of two states of a record the one of the greater epoch is the newer, then of the greater
-- generation, then of the greater version.
CREATE TABLE records (
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  version INTEGER NOT NULL,   -- number of the last event folded in
  fields TEXT NOT NULL,       -- JSON object; numbers keep their text
  partial INTEGER NOT NULL,   -- 1 until a whole object was seen
  drift INTEGER NOT NULL,     -- 1 from a contradiction until it is resolved
  occurred_at TEXT NOT NULL,  -- when the event `version` happened or was received
  updated_at TEXT NOT NULL,   -- when this row was written
  generation INTEGER NOT NULL DEFAULT 0, -- the last replay that folded it again, or 0
  epoch INTEGER NOT NULL DEFAULT 0,      -- as in `integrations`
  PRIMARY KEY (source, integration, model, record_id)
) WITHOUT ROWID;

CREATE TABLE integrations (
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  first_synced_at TEXT,
  last_synced_at TEXT,
  last_event_at TEXT,
  -- What its ledger has last told of its trouble; all zero while it has none.
  pending INTEGER NOT NULL DEFAULT 0,
  unconfirmed INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  oldest_unconfirmed_at TEXT,
  reported_at TEXT,
  -- Milliseconds since 1970 when its ledger began, or began to be told anew. Numbers of events are
  -- those of an epoch. 0 for the ledgers of 0.1.0.
  epoch INTEGER NOT NULL DEFAULT 0,
  -- Bytes of its ledger, as last told: within a tenth, or a megabyte. 0 before it told any.
  bytes INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (source, integration)
) WITHOUT ROWID;

-- When units were occupied or vacated: `kind` is `unit.occupied` or `unit.vacated`, `seq` the event
-- that revealed it, `at` since when, `count` how often (more than once where several events have one
-- time, the order of which it shows; then `at` is the first).
CREATE TABLE notices (
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  at TEXT NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0, -- as in `records`
  count INTEGER NOT NULL DEFAULT 1,
  epoch INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (source, integration, seq, kind)
) WITHOUT ROWID;

-- When each of a source's secrets was last used, to within ten minutes. A secret is known by 32 bits
-- of an HMAC under itself, by which it can be recognised and not found.
CREATE TABLE secrets_used (
  source TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  last_used_at TEXT NOT NULL,
  PRIMARY KEY (source, fingerprint)
) WITHOUT ROWID;

-- Counted since the beginning. A row is what costs, so each source has one for everything.
CREATE TABLE metrics (
  source TEXT PRIMARY KEY,
  -- Deliveries, by what became of them.
  accepted INTEGER NOT NULL,
  duplicate INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  ignored INTEGER NOT NULL,
  pong INTEGER NOT NULL,
  bad_signature INTEGER NOT NULL,
  too_large INTEGER NOT NULL,
  source_not_ready INTEGER NOT NULL,
  ledger_unavailable INTEGER NOT NULL,
  -- Confirmations that took at most so many seconds, and more than the column before.
  within_1_s INTEGER NOT NULL,
  within_2_s INTEGER NOT NULL,
  within_5_s INTEGER NOT NULL,
  within_10_s INTEGER NOT NULL,
  within_30_s INTEGER NOT NULL,
  within_60_s INTEGER NOT NULL,
  within_300_s INTEGER NOT NULL,
  within_1800_s INTEGER NOT NULL,
  later INTEGER NOT NULL,
  -- How long all of them took together.
  confirmation_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- Where the sweep stands, in one row. A round looks at every integration once, in the order of the
-- primary key of `integrations`.
CREATE TABLE sweep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  began_at TEXT NOT NULL,     -- when this round began; the next one begins a day later
  source TEXT NOT NULL,       -- the last integration that was looked at
  integration TEXT NOT NULL,
  is_over INTEGER NOT NULL    -- 1 if none is left
);

-- Version of these tables, in one row. 0.1.0 had none, which counts as 1.
CREATE TABLE schema_version (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
);
INSERT INTO schema_version (id, version) VALUES (1, 2);
