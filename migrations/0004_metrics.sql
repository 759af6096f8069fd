-- What each ledger has last told of its trouble; all zero while it has none.
ALTER TABLE integrations ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integrations ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integrations ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integrations ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integrations ADD COLUMN oldest_unconfirmed_at TEXT;
ALTER TABLE integrations ADD COLUMN reported_at TEXT;

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
