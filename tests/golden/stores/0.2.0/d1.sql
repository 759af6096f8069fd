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
INSERT INTO integrations (source, integration, last_seq, first_synced_at, last_synced_at, last_event_at, pending, unconfirmed, dead, quarantined, oldest_unconfirmed_at, reported_at, epoch, bytes) VALUES ('meterbase', 'i', 11, '2026-03-01T11:00:01.000000000Z', '2026-03-01T11:00:01.000000000Z', '2026-03-06T12:02:11.000000000Z', 12, 0, 0, 1, '2026-03-06T12:00:09.000000000Z', '2026-03-06T12:04:11.000000000Z', 1772366401000, 114688);
INSERT INTO integrations (source, integration, last_seq, first_synced_at, last_synced_at, last_event_at, pending, unconfirmed, dead, quarantined, oldest_unconfirmed_at, reported_at, epoch, bytes) VALUES ('propexo', 'i', 290, '2026-03-01T12:00:01.000000000Z', '2026-04-21T12:05:49.000000000Z', '2026-04-21T12:07:50.000000000Z', 264, 0, 1, 6, '2026-04-21T12:05:47.000000000Z', '2026-04-21T12:09:50.000000000Z', 1772366401000, 2793472);
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
INSERT INTO metrics (source, accepted, duplicate, quarantined, ignored, pong, bad_signature, too_large, source_not_ready, ledger_unavailable, within_1_s, within_2_s, within_5_s, within_10_s, within_30_s, within_60_s, within_300_s, within_1800_s, later, confirmation_ms) VALUES ('meterbase', 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1500);
INSERT INTO metrics (source, accepted, duplicate, quarantined, ignored, pong, bad_signature, too_large, source_not_ready, ledger_unavailable, within_1_s, within_2_s, within_5_s, within_10_s, within_30_s, within_60_s, within_300_s, within_1800_s, later, confirmation_ms) VALUES ('propexo', 291, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 13500);
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
INSERT INTO notices (source, integration, seq, kind, model, record_id, at, generation, count, epoch) VALUES ('meterbase', 'i', 3, 'unit.occupied', 'units', 'u1', '2026-03-01T11:00:30.000000000Z', 0, 1, 1772366401000);
INSERT INTO notices (source, integration, seq, kind, model, record_id, at, generation, count, epoch) VALUES ('meterbase', 'i', 5, 'unit.occupied', 'units', 'u1', '2026-03-01T11:00:30.000000000Z', 0, 1, 1772366401000);
INSERT INTO notices (source, integration, seq, kind, model, record_id, at, generation, count, epoch) VALUES ('meterbase', 'i', 5, 'unit.vacated', 'units', 'u1', '2026-03-01T11:00:20.000000000Z', 0, 1, 1772366401000);
INSERT INTO notices (source, integration, seq, kind, model, record_id, at, generation, count, epoch) VALUES ('propexo', 'i', 8, 'unit.occupied', 'units', 'u1', '2026-03-01T12:00:08.000000000Z', 0, 1, 1772366401000);
INSERT INTO notices (source, integration, seq, kind, model, record_id, at, generation, count, epoch) VALUES ('propexo', 'i', 9, 'unit.vacated', 'units', 'u1', '2026-03-01T12:00:09.000000000Z', 0, 1, 1772366401000);
INSERT INTO notices (source, integration, seq, kind, model, record_id, at, generation, count, epoch) VALUES ('propexo', 'i', 287, 'unit.occupied', 'units', 'u1', '2026-04-05T12:05:47.000000000Z', 0, 1, 1772366401000);
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
INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at, generation, epoch) VALUES ('meterbase', 'i', 'residents', 'r1', 6, '{"id":"r1","name":"A","unit_id":"u1"}', 0, 0, '2026-03-01T11:00:00.123456000Z', '2026-03-01T12:00:07.000000000Z', 0, 1772366401000);
INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at, generation, epoch) VALUES ('meterbase', 'i', 'units', 'u1', 3, '{"id":"u1","status":"occupied"}', 0, 0, '2026-03-01T11:00:30.000000000Z', '2026-03-01T12:00:07.000000000Z', 0, 1772366401000);
INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at, generation, epoch) VALUES ('meterbase', 'i', 'units', 'u2', 2, '{"id":"u2","status":"occupied"}', 0, 0, '2026-03-01T11:00:02.000000000Z', '2026-03-01T12:00:07.000000000Z', 0, 1772366401000);
INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at, generation, epoch) VALUES ('propexo', 'i', 'leases', 'busy', 286, '{"n":260}', 1, 0, '2026-04-05T12:05:46.000000000Z', '2026-04-05T12:05:47.000000000Z', 0, 1772366401000);
INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at, generation, epoch) VALUES ('propexo', 'i', 'leases', 'large', 22, '{"note":"' || replace(hex(zeroblob(320000)), '0', 'x') || '"}', 1, 0, '2026-03-21T12:01:22.000000000Z', '2026-03-21T12:01:26.000000000Z', 0, 1772366401000);
INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at, generation, epoch) VALUES ('propexo', 'i', 'leases', 'lease 9/é', 26, '{"status":"ended","deposit":750000.0,"property_id":"p1","rent":3}', 1, 1, '2026-03-21T12:01:26.000000000Z', '2026-03-21T12:01:26.000000000Z', 0, 1772366401000);
INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at, generation, epoch) VALUES ('propexo', 'i', 'units', 'u1', 287, '{"is_vacant":false}', 1, 0, '2026-04-05T12:05:47.000000000Z', '2026-04-05T12:05:47.000000000Z', 0, 1772366401000);
CREATE TABLE schema_version (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
);
INSERT INTO schema_version (id, version) VALUES (1, 2);
CREATE TABLE secrets_used (
  source TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  last_used_at TEXT NOT NULL,
  PRIMARY KEY (source, fingerprint)
) WITHOUT ROWID;
INSERT INTO secrets_used (source, fingerprint, last_used_at) VALUES ('meterbase', 'ae2505f4', '2026-03-06T12:04:12.000000000Z');
INSERT INTO secrets_used (source, fingerprint, last_used_at) VALUES ('propexo', 'f524d21b', '2026-04-21T12:09:51.000000000Z');
CREATE TABLE sweep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  began_at TEXT NOT NULL,     -- when this round began; the next one begins a day later
  source TEXT NOT NULL,       -- the last integration that was looked at
  integration TEXT NOT NULL,
  is_over INTEGER NOT NULL    -- 1 if none is left
);
INSERT INTO sweep (id, began_at, source, integration, is_over) VALUES (1, '2026-03-06T12:04:12.000000000Z', 'propexo', 'i', 1);
