CREATE TABLE again (
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  replay INTEGER NOT NULL,        -- only events that it wrote; 0 for all
  since INTEGER NOT NULL,         -- when they began to wait
  PRIMARY KEY (first_seq, replay)
) WITHOUT ROWID;
INSERT INTO again (first_seq, last_seq, replay, since) VALUES (1, 9, 1, 1772798409000000);
INSERT INTO again (first_seq, last_seq, replay, since) VALUES (8, 9, 0, 1772798409000000);
CREATE TABLE dead (
  first_seq INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL,
  reason TEXT NOT NULL,
  died_at INTEGER NOT NULL
);
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
  body BLOB NOT NULL,             -- the raw body, as received
  occurred_ns INTEGER,            -- nanoseconds beyond `occurred_at`; NULL for 0
  ambiguous INTEGER,              -- 1 if it may be a repetition; NULL if only `data` tells
  generation INTEGER              -- of its record then; NULL if only `data` tells
);
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
  body BLOB NOT NULL,             -- the raw body, as received
  occurred_ns INTEGER,            -- nanoseconds beyond `occurred_at`; NULL for 0
  ambiguous INTEGER,              -- 1 if it may be a repetition; NULL if only `data` tells
  generation INTEGER              -- of its record then; NULL if only `data` tells
);
INSERT INTO events_1 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (1, X'63F4910A21EEF43DC8A0027196568A89', 0, NULL, 1772366401000000, 0, 'units', 'u1', 'data.update', 'record.updated', 1772362801000000, NULL, NULL, 1, '{"event":"data.update","model":"units","record_id":"u1","changes":{},"record":{"id":"u1","status":"vacant"},"version":1,"partial":false,"drift":false,"late":false,"ambiguous":false}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:01Z","connection_id":"i","resource_type":"unit","data":{"id":"u1","status":"vacant"}}' AS BLOB), NULL, 0, 0);
INSERT INTO events_1 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (2, X'57F75A1D2910B89F866AC0ABE2D27CB3', 0, NULL, 1772366402000000, 0, 'units', 'u2', 'data.update', 'record.updated', 1772362802000000, NULL, NULL, 1, '{"event":"data.update","model":"units","record_id":"u2","changes":{},"record":{"id":"u2","status":"occupied"},"version":2,"partial":false,"drift":false,"late":false,"ambiguous":false}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:02Z","connection_id":"i","resource_type":"unit","data":{"id":"u2","status":"occupied"}}' AS BLOB), NULL, 0, 0);
INSERT INTO events_1 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (3, X'34FD14680D1C30D9AB1A1E6F8205A575', 0, 1, 1772366403000000, 0, 'units', 'u1', 'data.update', 'record.updated', 1772362830000000, NULL, NULL, 1, '{"event":"data.update","model":"units","record_id":"u1","changes":{"status":{"old":"vacant","new":"occupied"}},"record":{"id":"u1","status":"occupied"},"notices":["unit.occupied"],"notices_at":["2026-03-01T11:00:30.000000000Z"],"version":3,"partial":false,"drift":false,"late":false,"ambiguous":false}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:30Z","connection_id":"i","resource_type":"unit","data":{"id":"u1","status":"occupied"}}' AS BLOB), NULL, 0, 0);
INSERT INTO events_1 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (4, X'23838B061CFBA01084A03AF0358FF5F3', 0, 3, 1772366404000000, 0, 'units', 'u1', 'data.update', 'record.updated', 1772362810000000, NULL, NULL, 1, '{"event":"data.update","model":"units","record_id":"u1","changes":{},"record":{"id":"u1","status":"occupied"},"version":3,"partial":false,"drift":false,"late":true,"ambiguous":false}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:10Z","connection_id":"i","resource_type":"unit","data":{"id":"u1","status":"occupied"}}' AS BLOB), NULL, 0, 0);
INSERT INTO events_1 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (5, X'3054BFA3894B4F937DCA0707A5F4B6BE', 0, 4, 1772366405000000, 0, 'units', 'u1', 'data.update', 'record.updated', 1772362820000000, NULL, NULL, 1, '{"event":"data.update","model":"units","record_id":"u1","changes":{},"record":{"id":"u1","status":"occupied"},"notices":["unit.vacated","unit.occupied"],"notices_at":["2026-03-01T11:00:20.000000000Z","2026-03-01T11:00:30.000000000Z"],"version":3,"partial":false,"drift":false,"late":true,"ambiguous":false}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:20Z","connection_id":"i","resource_type":"unit","data":{"id":"u1","status":"vacant"}}' AS BLOB), NULL, 0, 0);
INSERT INTO events_1 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (6, X'B4E96A98C80454988E86E352ABB8A9F3', 0, NULL, 1772366406000000, 0, 'residents', 'r1', 'data.new', 'record.created', 1772362800123456, NULL, NULL, 1, '{"event":"data.new","model":"residents","record_id":"r1","changes":{},"record":{"id":"r1","name":"A","unit_id":"u1"},"version":6,"partial":false,"drift":false,"late":false,"ambiguous":false,"generation":1}', CAST('{"event":"data.new","timestamp":"2026-03-01T11:00:00.123456Z","connection_id":"i","resource_type":"resident","data":{"id":"r1","name":"A","unit_id":"u1"}}' AS BLOB), NULL, 0, 1);
INSERT INTO events_1 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (7, X'1C18F52349E04A47CB947C813A5FEB62', 1, NULL, 1772366407000000, 0, NULL, NULL, 'sync.complete', 'sync.completed', 1772362801000000, NULL, NULL, 1, '{"event":"sync.complete","timestamp":"2026-03-01T11:00:01Z","connection_id":"i","sync_id":"s1","data":{"records":3}}', CAST('{"event":"sync.complete","timestamp":"2026-03-01T11:00:01Z","connection_id":"i","sync_id":"s1","data":{"records":3}}' AS BLOB), NULL, 0, 0);
CREATE TABLE events_2 (
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
  generation INTEGER              -- of its record then; NULL if only `data` tells
);
INSERT INTO events_2 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (8, X'6C93A69E1639913E2BE96D647CC5C3B7', 0, 2, 1772798408000000, 7, 'units', 'u2', 'data.update', 'record.updated', 1772362840000000, NULL, NULL, 1, '{"event":"data.update","model":"units","record_id":"u2","changes":{"status":{"old":"occupied","new":"vacant"}},"record":{"id":"u2","status":"vacant"},"notices":["unit.vacated"],"notices_at":["2026-03-01T11:00:40.000000000Z"],"noticed":{"from":2,"to":8,"notices":[[8,"unit.vacated","2026-03-01T11:00:40.000000000Z"]]},"version":8,"partial":false,"drift":false,"late":false,"ambiguous":false,"generation":1}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:40Z","connection_id":"i","resource_type":"unit","data":{"id":"u2","status":"vacant"}}' AS BLOB), NULL, 0, 1);
INSERT INTO events_2 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (9, X'F3884967F9A0806161D713DF78F3EEAF', 0, 5, 1772798409000000, 7, 'units', 'u1', 'data.update', 'record.updated', 1772362835000000, NULL, NULL, 1, '{"event":"data.update","model":"units","record_id":"u1","changes":{"status":{"old":"occupied","new":"vacant"}},"record":{"id":"u1","status":"vacant"},"notices":["unit.vacated"],"notices_at":["2026-03-01T11:00:35.000000000Z"],"noticed":{"from":1,"to":9,"notices":[[3,"unit.occupied","2026-03-01T11:00:30.000000000Z"],[5,"unit.vacated","2026-03-01T11:00:20.000000000Z"],[5,"unit.occupied","2026-03-01T11:00:30.000000000Z"],[9,"unit.vacated","2026-03-01T11:00:35.000000000Z"]]},"version":9,"partial":false,"drift":false,"late":false,"ambiguous":false,"generation":1}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:35Z","connection_id":"i","resource_type":"unit","data":{"id":"u1","status":"vacant"}}' AS BLOB), NULL, 0, 1);
INSERT INTO events_2 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (10, X'1BF59C29570370C84CA8CC225DDBD021', 0, 9, 1772798410000000, 9, 'units', 'u1', 'data.update', 'record.updated', 1772362833000000, NULL, NULL, NULL, '{"event":"data.update","model":"units","record_id":"u1","changes":{},"record":{"id":"u1","status":"vacant"},"version":9,"partial":false,"drift":false,"late":true,"ambiguous":false,"generation":1}', CAST('{"event":"data.update","timestamp":"2026-03-01T11:00:33Z","connection_id":"i","resource_type":"unit","data":{"id":"u1","status":"occupied"}}' AS BLOB), NULL, 0, 1);
INSERT INTO events_2 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind, occurred_at, quarantine, ignored, replay, data, body, occurred_ns, ambiguous, generation) VALUES (11, X'5A3403CBA9E142BFE610D6EFE0E9C46B', 1, NULL, 1772798531000000, 9, NULL, NULL, NULL, NULL, NULL, 'not_json', NULL, NULL, NULL, CAST('junk' AS BLOB), NULL, 0, 0);
CREATE TABLE kept_keys (
  seq INTEGER PRIMARY KEY,
  key BLOB NOT NULL,
  received_at INTEGER NOT NULL,
  model TEXT,
  record_id TEXT
);
CREATE TABLE large (
  seq INTEGER PRIMARY KEY,
  data TEXT NOT NULL
);
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
  epoch INTEGER NOT NULL DEFAULT 0          -- milliseconds when the numbers began, or were cast anew
);
INSERT INTO ledger (id, source, integration, confirmed_seq, attempts, first_synced_at, last_synced_at, uses_index, last_event_at, reported, schema_version, min_version, epoch) VALUES (1, 'meterbase', 'i', 0, 2, 1772362801000000, 1772362801000000, 1772884809000000, NULL, '12 0 0 1 1772798409000000 1772798651000000 0 114688', 2, 1, 1772366401000);
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
  PRIMARY KEY (model, record_id)
) WITHOUT ROWID;
INSERT INTO records (model, record_id, last_seq, version, fields, partial, drift, occurred_at, version_key, generation, recent, occupancy, occurred_ns, drifted) VALUES ('residents', 'r1', 6, 6, '{"id":"r1","name":"A","unit_id":"u1"}', 0, 0, 1772362800123456, X'B4E96A98C80454988E86E352ABB8A9F3', 1, X'0000000000000000B4E96A98C80454988E86E352ABB8A9F30600000000000000809D0A36F54B0600', NULL, NULL, NULL);
INSERT INTO records (model, record_id, last_seq, version, fields, partial, drift, occurred_at, version_key, generation, recent, occupancy, occurred_ns, drifted) VALUES ('units', 'u1', 10, 9, '{"id":"u1","status":"vacant"}', 0, 0, 1772362835000000, X'F3884967F9A0806161D713DF78F3EEAF', 1, X'0000000000000000F3884967F9A0806161D713DF78F3EEAF090000000000000040446DCB594C06001BF59C29570370C84CA8CC225DDBD0210A0000000000000080867CCB594C0600', X'0040AE2A5FF44B06000B91F463018002B45FF44B0600078B83230000994C60F44B0600A3BF543001802FE560F44B06006914FD340040F61261F44B0600299CF51B00C07A3161F44B0600674988F301', NULL, NULL);
INSERT INTO records (model, record_id, last_seq, version, fields, partial, drift, occurred_at, version_key, generation, recent, occupancy, occurred_ns, drifted) VALUES ('units', 'u2', 8, 8, '{"id":"u2","status":"vacant"}', 0, 0, 1772362840000000, X'6C93A69E1639913E2BE96D647CC5C3B7', 1, X'00000000000000006C93A69E1639913E2BE96D647CC5C3B7080000000000000000025ECB594C0600', X'0080F0395FF44B06001D5AF7570000C67D61F44B06009FA6936C01', NULL, NULL);
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
  drifted TEXT
);
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
INSERT INTO replays (number, from_seq, to_seq, filter, count, next_seq, looked_at, asked_at, ended_at, record_id, written_as) VALUES (1, 1, 9, '[null,null]', 9, 10, 9, 1772798409000000, 1772798409000000, NULL, 1);
CREATE TABLE segments (
  number INTEGER PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  began_at INTEGER NOT NULL,
  format INTEGER NOT NULL DEFAULT 1,  -- version of its table: see migrate.rs
  began_bytes INTEGER                 -- bytes of the whole ledger then
);
INSERT INTO segments (number, first_seq, began_at, format, began_bytes) VALUES (1, 1, 1772366401000000, 2, 0);
INSERT INTO segments (number, first_seq, began_at, format, began_bytes) VALUES (2, 8, 1772798407000000, 2, 98304);
CREATE TABLE unlinked (
  property_id TEXT PRIMARY KEY,
  first_seq INTEGER NOT NULL,
  first_seen_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE unplaced (
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (model, record_id)
) WITHOUT ROWID;
CREATE INDEX events_0_by_key ON events_0 (key) WHERE by_key;
CREATE INDEX events_0_quarantined ON events_0 (seq) WHERE quarantine IS NOT NULL;
CREATE INDEX events_1_by_key ON events_1 (key) WHERE by_key;
CREATE INDEX events_1_quarantined ON events_1 (seq) WHERE quarantine IS NOT NULL;
CREATE INDEX events_2_by_key ON events_2 (key) WHERE by_key;
CREATE INDEX events_2_quarantined ON events_2 (seq) WHERE quarantine IS NOT NULL;
CREATE INDEX kept_keys_by_key ON kept_keys (key);
CREATE VIEW intake AS
  SELECT seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind,
         occurred_at, quarantine, ignored, data, body, NULL AS version, NULL AS fields,
         NULL AS partial, NULL AS drift, NULL AS version_at, NULL AS version_key,
         NULL AS generation, NULL AS recent, NULL AS occupancy, NULL AS unlinked,
         occurred_ns, ambiguous, NULL AS version_ns, NULL AS drifted
  FROM events_2;
CREATE TRIGGER take INSTEAD OF INSERT ON intake BEGIN
  INSERT INTO events_2 (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id,
                        name, kind, occurred_at, quarantine, ignored, data, body, occurred_ns,
                        ambiguous, generation)
  VALUES (new.seq, new.key, new.by_key, new.prev_seq, new.received_at, new.confirmed_seq,
          new.model, new.record_id, new.name, new.kind, new.occurred_at, new.quarantine,
          new.ignored, new.data, new.body, new.occurred_ns, new.ambiguous, new.generation);
  INSERT INTO records (model, record_id, last_seq, version, fields, partial, drift, occurred_at,
                       version_key, generation, recent, occupancy, occurred_ns, drifted)
  SELECT new.model, new.record_id, new.seq, new.version, new.fields, new.partial, new.drift,
         new.version_at, new.version_key, new.generation, new.recent, new.occupancy,
         new.version_ns, new.drifted
  WHERE new.version IS NOT NULL
  ON CONFLICT (model, record_id) DO UPDATE SET
    last_seq = excluded.last_seq, version = excluded.version, fields = excluded.fields,
    partial = excluded.partial, drift = excluded.drift, occurred_at = excluded.occurred_at,
    version_key = excluded.version_key, recent = excluded.recent,
    occupancy = excluded.occupancy, occurred_ns = excluded.occurred_ns,
    drifted = excluded.drifted;
  INSERT OR IGNORE INTO unlinked (property_id, first_seq, first_seen_at)
  SELECT new.unlinked, new.seq, new.received_at WHERE new.unlinked IS NOT NULL;
  INSERT INTO unplaced (model, record_id, first_seq, last_seq, count)
  SELECT new.model, new.record_id, new.seq, new.seq, 1 WHERE new.ignored = 'no_property'
  ON CONFLICT (model, record_id) DO UPDATE SET
    last_seq = excluded.last_seq, count = count + 1;
END;
