
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  confirmed_seq INTEGER NOT NULL DEFAULT 0, -- see confirmed_seq in segment.sql
  attempts INTEGER NOT NULL DEFAULT 0,      -- times sent again without an answer
  first_synced_at INTEGER,                  -- times are microseconds since 1970
  last_synced_at INTEGER,
  uses_index INTEGER NOT NULL DEFAULT 0,   -- 1 if `recent` may lack a record's event
  last_event_at INTEGER,                    -- of the events that are gone
  reported TEXT                             -- trouble as last reported; NULL if there never was any
);

CREATE TABLE segments (
  number INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  began_at INTEGER NOT NULL
);

CREATE TABLE large (
  seq INTEGER PRIMARY KEY,
  data TEXT NOT NULL
);

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
  PRIMARY KEY (model, record_id)
) WITHOUT ROWID;

CREATE TABLE unlinked (
  property_id TEXT PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  first_seen_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE again (
  first_seq INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL,
  replay INTEGER NOT NULL,        -- only events that it wrote; 0 for all
  since INTEGER NOT NULL          -- when they began to wait
);

CREATE TABLE replays (
  number INTEGER PRIMARY KEY,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  filter TEXT NOT NULL,           -- models and events, JSON
  count INTEGER NOT NULL,         -- events to look at
  next_seq INTEGER NOT NULL,      -- the first one that wasn't looked at
  looked_at INTEGER NOT NULL,     -- how many were
  asked_at INTEGER NOT NULL,
  ended_at INTEGER
);

CREATE TABLE dead (
  first_seq INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  died_at INTEGER NOT NULL
);
CREATE TABLE events_0 (
  seq INTEGER PRIMARY KEY,
  key BLOB NOT NULL,              -- what makes two deliveries the same
  by_key INTEGER NOT NULL,        -- 1 if only the index below knows a repetition
  prev_seq INTEGER,               -- the event before about the same record
  received_at INTEGER NOT NULL,
  confirmed_seq INTEGER NOT NULL, -- the watermark then: it moves along for free
  model TEXT,
  record_id TEXT,
  name TEXT,                      -- the provider's name of the event
  kind TEXT,
  occurred_at INTEGER,
  quarantine TEXT,                -- why it isn't understood
  ignored TEXT,                   -- which filter leaves it out
  replay INTEGER,                 -- the last replay that wrote this row
  data TEXT,                      -- what is forwarded; NULL if in `large`
  body BLOB NOT NULL              -- the raw body, as received
);

CREATE INDEX events_0_by_key ON events_0 (key) WHERE by_key;
CREATE INDEX events_0_quarantined ON events_0 (seq) WHERE quarantine IS NOT NULL;
CREATE TABLE events_1 (
  seq INTEGER PRIMARY KEY,
  key BLOB NOT NULL,              -- what makes two deliveries the same
  by_key INTEGER NOT NULL,        -- 1 if only the index below knows a repetition
  prev_seq INTEGER,               -- the event before about the same record
  received_at INTEGER NOT NULL,
  confirmed_seq INTEGER NOT NULL, -- the watermark then: it moves along for free
  model TEXT,
  record_id TEXT,
  name TEXT,                      -- the provider's name of the event
  kind TEXT,
  occurred_at INTEGER,
  quarantine TEXT,                -- why it isn't understood
  ignored TEXT,                   -- which filter leaves it out
  replay INTEGER,                 -- the last replay that wrote this row
  data TEXT,                      -- what is forwarded; NULL if in `large`
  body BLOB NOT NULL              -- the raw body, as received
);

CREATE INDEX events_1_by_key ON events_1 (key) WHERE by_key;
CREATE INDEX events_1_quarantined ON events_1 (seq) WHERE quarantine IS NOT NULL;
