// Packs into D1: one batch, each record only if its version is newer, or its ledger.

import { instant } from "./time.js";

const RECORD = `
  INSERT INTO records (source, integration, model, record_id, version, fields, partial, drift, occurred_at, updated_at,
                       epoch)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET version = excluded.version, fields = excluded.fields, partial = excluded.partial,
    drift = excluded.drift, occurred_at = excluded.occurred_at, updated_at = excluded.updated_at,
    epoch = excluded.epoch
  WHERE (excluded.epoch, excluded.version) > (records.epoch, records.version)`;

const INTEGRATION = `
  INSERT INTO integrations (source, integration, last_seq, first_synced_at, last_synced_at, last_event_at, epoch)
  VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET last_seq = iif(excluded.epoch > epoch, excluded.last_seq, max(last_seq, excluded.last_seq)),
    first_synced_at = coalesce(min(first_synced_at, excluded.first_synced_at), first_synced_at, excluded.first_synced_at),
    last_synced_at = coalesce(max(last_synced_at, excluded.last_synced_at), last_synced_at, excluded.last_synced_at),
    last_event_at = max(last_event_at, excluded.last_event_at), epoch = excluded.epoch
  WHERE excluded.epoch >= epoch`;

/** Applies the pack in `message` and tells its ledger; a dead one is only reported. */
export async function applyPack(message, env, line, dead) {
  const events = JSON.parse(message.body);
  const [source, integration] = events[0].source.slice(1).split("/").map(decodeURIComponent);
  const first = Number(events[0].id);
  const last = Number(events.at(-1).id);
  Object.assign(line, { source, integration, seq: last, bytes: message.body.length });
  const ledger = env.LEDGER.get(env.LEDGER.idFromName(`${source}/${integration}`));
  if (dead) {
    await ledger.bury(first, last);
    line.outcome = "dead";
    return;
  }
  await env.DB.batch(await statements(events, source, integration, last, env, ledger, message));
  await ledger.confirm(first, last);
  line.outcome = "applied";
}

async function statements(events, source, integration, last, env, ledger, message) {
  // Of several events about one record only the newest is written.
  const newest = new Map();
  let syncedFrom = null;
  let syncedTo = null;
  for (const event of events) {
    if (event.type.startsWith("leasewire.sync.") && event.data.is_sync_finished !== false) {
      if (syncedFrom === null || event.time < syncedFrom) syncedFrom = event.time;
      if (syncedTo === null || event.time > syncedTo) syncedTo = event.time;
    }
    if (!event.type.startsWith("leasewire.record.")) continue;
    const data = event.dataref ? JSON.parse(await ledger.data(Number(event.id))) : event.data;
    if (data.late) continue;
    const key = `${data.model}/${data.record_id}`;
    if (!(newest.get(key)?.data.version >= data.version)) newest.set(key, { data, time: event.time });
  }
  const now = instant(Date.now());
  const sentAt = instant(message.timestamp.getTime());
  const epoch = Number(events[0].epoch);
  const record = env.DB.prepare(RECORD);
  const all = [env.DB.prepare(INTEGRATION).bind(source, integration, last, syncedFrom, syncedTo, sentAt, epoch)];
  for (const { data, time } of newest.values()) {
    const { model, record_id, version, partial, drift } = data;
    const fields = JSON.stringify(data.record);
    all.push(
      record.bind(
        source,
        integration,
        model,
        record_id,
        version,
        fields,
        partial ? 1 : 0,
        drift ? 1 : 0,
        time,
        now,
        epoch,
      ),
    );
  }
  return all;
}
