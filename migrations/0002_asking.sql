-- Asking the provider's API: what connectors tell of it.

-- A source that has an API, as its connector has told last; about once a minute while it works.
CREATE TABLE connectors (
  source TEXT PRIMARY KEY,
  reported_at TEXT NOT NULL,
  -- Requests since the beginning, by what became of them.
  answered INTEGER NOT NULL,
  not_found INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  limited INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  -- Records that a read has changed, of which no webhook had told.
  repaired INTEGER NOT NULL,
  -- Webhooks that the provider's log has and that never came.
  lost INTEGER NOT NULL,
  -- Records to be read, those that are given up, and lists being read.
  owed INTEGER NOT NULL,
  given_up INTEGER NOT NULL,
  walks INTEGER NOT NULL,
  is_refused INTEGER NOT NULL, -- 1 while the key is refused, or missing
  owed_since TEXT,             -- since when the oldest record is to be read
  standing_since TEXT          -- since when there is something to ask, and no answer
) WITHOUT ROWID;

-- When the provider last saw a record that counts as gone; NULL for any other.
ALTER TABLE records ADD COLUMN gone_since TEXT;

UPDATE schema_version SET version = 3;
