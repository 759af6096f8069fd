-- When units were occupied or vacated: `kind` is `unit.occupied` or `unit.vacated`, `seq` the event
-- that revealed it, `at` since when, RFC 3339 in UTC. `generation` as in `records`.
CREATE TABLE notices (
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  at TEXT NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (source, integration, seq, kind)
) WITHOUT ROWID;
