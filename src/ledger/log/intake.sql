-- Where a new event goes, into the present segment. The event and its record
-- are one statement, so that both are kept or neither.
DROP VIEW IF EXISTS intake;
CREATE VIEW intake AS
  SELECT seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id, name, kind,
         occurred_at, quarantine, ignored, data, body, NULL AS version, NULL AS fields,
         NULL AS partial, NULL AS drift, NULL AS version_at, NULL AS version_key,
         NULL AS generation, NULL AS recent, NULL AS occupancy, NULL AS unlinked,
         occurred_ns, ambiguous, NULL AS version_ns, NULL AS drifted, asked_seq, NULL AS gone_since
  FROM {events};
CREATE TRIGGER take INSTEAD OF INSERT ON intake BEGIN
  INSERT INTO {events} (seq, key, by_key, prev_seq, received_at, confirmed_seq, model, record_id,
                        name, kind, occurred_at, quarantine, ignored, data, body, occurred_ns,
                        ambiguous, generation, asked_seq)
  VALUES (new.seq, new.key, new.by_key, new.prev_seq, new.received_at, new.confirmed_seq,
          new.model, new.record_id, new.name, new.kind, new.occurred_at, new.quarantine,
          new.ignored, new.data, new.body, new.occurred_ns, new.ambiguous, new.generation,
          new.asked_seq);
  INSERT INTO records (model, record_id, last_seq, version, fields, partial, drift, occurred_at,
                       version_key, generation, recent, occupancy, occurred_ns, drifted,
                       gone_since)
  SELECT new.model, new.record_id, new.seq, new.version, new.fields, new.partial, new.drift,
         new.version_at, new.version_key, new.generation, new.recent, new.occupancy,
         new.version_ns, new.drifted, new.gone_since
  WHERE new.version IS NOT NULL
  ON CONFLICT (model, record_id) DO UPDATE SET
    last_seq = excluded.last_seq, version = excluded.version, fields = excluded.fields,
    partial = excluded.partial, drift = excluded.drift, occurred_at = excluded.occurred_at,
    version_key = excluded.version_key, recent = excluded.recent,
    occupancy = excluded.occupancy, occurred_ns = excluded.occurred_ns,
    drifted = excluded.drifted, gone_since = excluded.gone_since;
  INSERT OR IGNORE INTO unlinked (property_id, first_seq, first_seen_at)
  SELECT new.unlinked, new.seq, new.received_at WHERE new.unlinked IS NOT NULL;
  INSERT INTO unplaced (model, record_id, first_seq, last_seq, count)
  SELECT new.model, new.record_id, new.seq, new.seq, 1 WHERE new.ignored = 'no_property'
  ON CONFLICT (model, record_id) DO UPDATE SET
    last_seq = excluded.last_seq, count = count + 1;
END;
