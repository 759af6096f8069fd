-- The ledger of one integration. On Cloudflare a row written is what costs,
-- so a new event writes two: its own, and its record's. Nothing else here is
-- written for every event. Events are in segments: see segment.sql.

-- One row: whose ledger this is, and what must outlive the memory.
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  confirmed_seq INTEGER NOT NULL DEFAULT 0, -- see confirmed_seq in segment.sql
  attempts INTEGER NOT NULL DEFAULT 0,      -- times sent again without an answer
  first_synced_at INTEGER,                  -- times are microseconds since 1970
  last_synced_at INTEGER,
  uses_index INTEGER NOT NULL DEFAULT 0,   -- until when `recent` may lack a record's event
  last_event_at INTEGER,                    -- of the events that are gone
  reported TEXT,                            -- trouble and size as last reported; NULL if never
  schema_version INTEGER NOT NULL DEFAULT 1, -- of all these tables: see migrate.rs
  min_version INTEGER NOT NULL DEFAULT 1,   -- the oldest version whose code may go on with them
  epoch INTEGER NOT NULL DEFAULT 0,         -- milliseconds when the numbers began, or were cast anew
  owed_seq INTEGER                          -- the connector was told of all up to here; NULL if of nothing
);

-- Segments of the log, in order; each ends where the next one begins.
CREATE TABLE segments (
  number INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  began_at INTEGER NOT NULL,
  format INTEGER NOT NULL DEFAULT 1,  -- version of its table: see migrate.rs
  began_bytes INTEGER                 -- bytes of the whole ledger then
);

-- Keys of events that went early and are within the dedupe window, where only
-- their segment's index knew them.
CREATE TABLE kept_keys (
  seq INTEGER PRIMARY KEY,
  key BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  model TEXT,
  record_id TEXT
);
CREATE INDEX kept_keys_by_key ON kept_keys (key);

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
  generation INTEGER NOT NULL,    -- the last replay that made it anew, or 0
  recent BLOB NOT NULL,           -- its latest events, to know a repetition by
  occupancy BLOB,                 -- of a unit: when it was vacant and occupied
  occurred_ns INTEGER,            -- nanoseconds beyond `occurred_at`; NULL for 0
  drifted TEXT,                   -- JSON: the fields that `drift` is about, if they are known
  gone_since INTEGER,             -- when the provider last saw it; NULL if it isn't gone
  PRIMARY KEY (model, record_id)
) WITHOUT ROWID;

-- Properties that are not linked, with their first event that was ignored.
CREATE TABLE unlinked (
  property_id TEXT PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  first_seen_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Records of which events were ignored because nobody knows to which property
-- they belong: the first one, the last one, and how many. See unplaced.rs.
CREATE TABLE unplaced (
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (model, record_id)
) WITHOUT ROWID;

-- Stretches of the log whose events go out again, until they are confirmed.
CREATE TABLE again (
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  replay INTEGER NOT NULL,        -- only events that it wrote; 0 for all
  since INTEGER NOT NULL,         -- when they began to wait
  PRIMARY KEY (first_seq, replay)
) WITHOUT ROWID;

-- Replays, as they were asked for.
CREATE TABLE replays (
  number INTEGER PRIMARY KEY,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  filter TEXT NOT NULL,           -- models and events, JSON; or "redrive": see redrive.rs
  count INTEGER NOT NULL,         -- events to look at
  next_seq INTEGER NOT NULL,      -- the first one that wasn't looked at
  looked_at INTEGER NOT NULL,     -- how many were
  asked_at INTEGER NOT NULL,
  ended_at INTEGER,
  record_id TEXT,                 -- if it is about records of this id alone
  written_as INTEGER              -- the number of its last step that wrote: see replay/mod.rs
);

-- Records that the replay at hand has to fold again: what the steps so far
-- have made of them. See replay/refold.rs.
CREATE TABLE refolds (
  number INTEGER PRIMARY KEY,     -- in which order
  replay INTEGER NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  added INTEGER,                  -- an event that isn't in its chain
  through INTEGER,                -- the last event gone through; NULL if not begun
  last_seq INTEGER,
  generation INTEGER,
  last_generation INTEGER,
  version INTEGER,
  changes TEXT,
  version_generation INTEGER,
  noticed TEXT,
  known_version INTEGER,          -- from here on as in `records`
  fields TEXT,
  partial INTEGER,
  drift INTEGER,
  occurred_at INTEGER,
  occurred_ns INTEGER,
  version_key BLOB,
  occupancy BLOB,
  drifted TEXT,
  gone_since INTEGER
);

-- Discards of bodies, as they were asked for.
CREATE TABLE discards (
  number INTEGER PRIMARY KEY,
  status TEXT NOT NULL,           -- of the events: `quarantined` or `dead`
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,         -- events that there were
  done INTEGER NOT NULL,          -- events that were discarded
  next_seq INTEGER NOT NULL,      -- the first one that wasn't looked at
  asked_at INTEGER NOT NULL,
  ended_at INTEGER
);

-- Packs that could not be applied, until they are redriven.
CREATE TABLE dead (
  first_seq INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  died_at INTEGER NOT NULL
);

-- Rebuilds of D1, as they were asked for.
CREATE TABLE rebuilds (
  number INTEGER PRIMARY KEY,
  after_model TEXT NOT NULL,      -- the last record that D1 has got
  after_record_id TEXT NOT NULL,
  count INTEGER NOT NULL,         -- records when it began
  done INTEGER NOT NULL,
  refused INTEGER NOT NULL DEFAULT 0, -- records that D1 doesn't take
  asked_at INTEGER NOT NULL,
  ended_at INTEGER
);
