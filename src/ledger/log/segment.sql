-- A segment of the log, which is also the outbox. It is a table of its own
-- because dropping a table costs nothing, and deleting a row as much as
-- writing it. `events_0` has what outlived its segment.
CREATE TABLE {events} (
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
  body BLOB NOT NULL,             -- the raw body, as received
  occurred_ns INTEGER,            -- nanoseconds beyond `occurred_at`; NULL for 0
  ambiguous INTEGER,              -- 1 if it may be a repetition; NULL if only `data` tells
  generation INTEGER,             -- of its record then; NULL if only `data` tells
  asked_seq INTEGER               -- of a record that was asked for: the last number before the read
);

-- Where its condition is false, an index costs no row.
CREATE INDEX {events}_by_key ON {events} (key) WHERE by_key;
CREATE INDEX {events}_quarantined ON {events} (seq) WHERE quarantine IS NOT NULL;
