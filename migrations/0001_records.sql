-- What the consumer keeps. Times are RFC 3339 in UTC.
CREATE TABLE records (
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  version INTEGER NOT NULL,   -- number of the last event folded in
  fields TEXT NOT NULL,       -- JSON object; numbers keep their text
  partial INTEGER NOT NULL,   -- 1 until a whole object was seen
  drift INTEGER NOT NULL,     -- 1 from a contradiction to the next whole object
  occurred_at TEXT NOT NULL,  -- when the event `version` happened or was received
  updated_at TEXT NOT NULL,   -- when this row was written
  PRIMARY KEY (source, integration, model, record_id)
) WITHOUT ROWID;

CREATE TABLE integrations (
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  first_synced_at TEXT,
  last_synced_at TEXT,
  last_event_at TEXT,
  PRIMARY KEY (source, integration)
) WITHOUT ROWID;
