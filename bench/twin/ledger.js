// A ledger of the twin: it dedupes, numbers and folds in one transaction, and sends what it has taken.

import { DurableObject } from "cloudflare:workers";

import { saidOf } from "./dialects.js";
import { canRepeat, fold, isTied } from "./fold.js";
import { instant } from "./time.js";
import { within } from "./within.js";

const WINDOW_MS = 48 * 3_600_000;
/** The same for what is about no record and has no time, job or id of its own. */
const NOTICE_WINDOW_MS = 600_000;

const PACK_BYTES_MAX = 64_000;
const EVENT_BYTES_MAX = 127_000;
const BATCH_BYTES_MAX = 250_000;
const BATCH_EVENTS_MAX = 600;
const BATCH_INTERVAL_MS = 1_000;
const WAKE_MS = 60_000;
const PATIENCE_MS = 45_000;
const PAUSE_MS_MAX = 3_600_000;
const ROW_BYTES_MAX = 1_900_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY, source TEXT, integration TEXT, epoch INTEGER, confirmed_seq INTEGER DEFAULT 0,
    attempts INTEGER DEFAULT 0, first_synced_at TEXT, last_synced_at TEXT);
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, key BLOB, received_at INTEGER, model TEXT, record_id TEXT, name TEXT,
    kind TEXT, occurred_at TEXT, ambiguous INTEGER, quarantine TEXT, data TEXT, body BLOB);
  CREATE INDEX IF NOT EXISTS events_by_key ON events (key);
  CREATE TABLE IF NOT EXISTS records (
    model TEXT, record_id TEXT, last_seq INTEGER, version INTEGER, fields TEXT, partial INTEGER,
    drifted TEXT, occurred_at TEXT, version_key TEXT, tied TEXT, PRIMARY KEY (model, record_id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS large (seq INTEGER PRIMARY KEY, data TEXT);
  CREATE TABLE IF NOT EXISTS dead (first_seq INTEGER PRIMARY KEY, last_seq INTEGER, died_at INTEGER);`;

const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** True if a delivery with the key of the event `first` is a second, real event all the same. */
function isNews({ identity, event }, first, known, now, lastSeq) {
  if (identity === "notice") return first.seq !== lastSeq || first.received_at <= now - NOTICE_WINDOW_MS;
  if (identity !== "record" || !known) return false;
  return known.last_seq !== first.seq && canRepeat(known.fields, event.change);
}

export class Ledger extends DurableObject {
  #sql;
  #name = null;
  #lastSeq = 0;
  #sentSeq = 0;
  #confirmedSeq = 0;
  #ahead = new Map(); // confirmed beyond the watermark: last by first
  #waitingSince = null;
  #attempts = 0;
  #armed = false;
  #sending = false;
  /** When the next batch may go. */
  #nextBatchAt = 0;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    ctx.blockConcurrencyWhile(async () => {
      this.#sql.exec(SCHEMA);
      const [ledger] = this.#sql.exec("SELECT * FROM ledger").toArray();
      if (ledger) {
        this.#name = ledger;
        this.#confirmedSeq = this.#sentSeq = ledger.confirmed_seq;
        this.#attempts = ledger.attempts;
        this.#lastSeq = this.#sql.exec("SELECT max(seq) AS seq FROM events").one().seq ?? 0;
        for (const { first_seq, last_seq } of this.#sql.exec("SELECT first_seq, last_seq FROM dead")) {
          this.#ahead.set(first_seq, last_seq);
        }
      }
      this.#armed = (await ctx.storage.getAlarm()) !== null;
    });
  }

  /** Takes a delivery in, and gives what became of it. */
  async intake(delivery) {
    const now = Date.now();
    const taken = this.ctx.storage.transactionSync(() => this.#take(delivery, now));
    if (taken.status !== "duplicate") this.#lastSeq = taken.seq;
    if (this.#lastSeq > this.#confirmedSeq && !this.#armed) this.#arm(now);
    this.#forward();
    return taken;
  }

  #take(delivery, now) {
    if (!this.#name) {
      const { source, integration } = delivery;
      const insert = "INSERT INTO ledger (id, source, integration, epoch) VALUES (1, ?, ?, ?)";
      this.#sql.exec(insert, source, integration, now);
      this.#name = { source, integration, epoch: now };
    }
    const { event } = delivery;
    const seq = this.#lastSeq + 1;
    const known = event?.recordId === undefined ? undefined : this.#record(event);
    const first = this.#earlier(delivery, now);
    const ambiguous = first !== undefined && isNews(delivery, first, known, now, this.#lastSeq);
    if (first && !ambiguous) return { status: "duplicate", seq: first.seq };
    if (!event) return this.#keep(delivery, seq, now, { quarantine: delivery.unclear });
    if (event.recordId === undefined) {
      if (event.sync && event.fields.is_sync_finished !== false) this.#synced(event.occurredAt ?? instant(now));
      const data = JSON.stringify({ event: event.name, ...event.fields });
      return this.#keep(delivery, seq, now, { ...event, ambiguous, data });
    }
    const tied = isTied(known, event) ? this.#tied(known) : [];
    const { record, changes, late } = fold(known, event, seq, hex(delivery.key), tied);
    const content = {
      event: event.name ?? null,
      model: event.model,
      record_id: event.recordId,
      changes,
      record: record.fields,
      version: record.version,
      partial: record.partial,
      drift: record.drifted.length > 0,
      late,
      ambiguous,
    };
    let data = JSON.stringify(content);
    // Rather without old and new values than not at all.
    if (data.length > ROW_BYTES_MAX) data = JSON.stringify({ ...content, changes: null });
    if (data.length > ROW_BYTES_MAX) return this.#keep(delivery, seq, now, { quarantine: "too_large" });
    this.#keepRecord(event, seq, record);
    return this.#keep(delivery, seq, now, { ...event, ambiguous, data });
  }

  /** The last event of the same key, as far back as it counts. */
  #earlier({ key, identity }, now) {
    // A job makes a body one event for ever.
    const since = identity === "job" ? 0 : now - WINDOW_MS;
    const sql = "SELECT seq, received_at FROM events WHERE key = ? AND received_at > ? ORDER BY seq DESC LIMIT 1";
    return this.#sql.exec(sql, key, since).toArray()[0];
  }

  /** The events of the time that `known` is of, in the order of arrival. */
  #tied(known) {
    const sql = `SELECT lower(hex(key)) AS key, body FROM events
                 WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`;
    const rows = this.#sql.exec(sql, JSON.stringify(known.tied)).toArray();
    return rows.map(({ key, body }) => ({ key, ...saidOf(body) }));
  }

  #record({ model, recordId }) {
    const [row] = this.#sql.exec("SELECT * FROM records WHERE model = ? AND record_id = ?", model, recordId).toArray();
    if (row) {
      row.fields = JSON.parse(row.fields);
      row.partial = row.partial === 1;
      row.drifted = row.drifted === null ? [] : JSON.parse(row.drifted);
      row.tied = row.tied === null ? undefined : JSON.parse(row.tied);
    }
    return row;
  }

  #keepRecord({ model, recordId }, seq, { version, fields, partial, drifted, occurred_at, version_key, tied }) {
    this.#sql.exec(
      `INSERT INTO records (model, record_id, last_seq, version, fields, partial, drifted, occurred_at, version_key,
                            tied)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq, version = excluded.version,
         fields = excluded.fields, partial = excluded.partial, drifted = excluded.drifted,
         occurred_at = excluded.occurred_at, version_key = excluded.version_key, tied = excluded.tied`,
      model,
      recordId,
      seq,
      version,
      JSON.stringify(fields),
      partial ? 1 : 0,
      drifted.length > 0 ? JSON.stringify(drifted) : null,
      occurred_at ?? null,
      version_key,
      tied ? JSON.stringify(tied) : null,
    );
  }

  #keep(delivery, seq, now, { model, recordId, name, kind, occurredAt, ambiguous, quarantine, data }) {
    if (data && data.length + delivery.body.byteLength > ROW_BYTES_MAX) {
      this.#sql.exec("INSERT INTO large (seq, data) VALUES (?, ?)", seq, data);
      data = undefined;
    }
    this.#sql.exec(
      `INSERT INTO events (seq, key, received_at, model, record_id, name, kind, occurred_at, ambiguous, quarantine,
                           data, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      seq,
      delivery.key,
      now,
      model ?? null,
      recordId ?? null,
      name ?? null,
      kind ?? null,
      occurredAt ?? null,
      ambiguous ? 1 : 0,
      quarantine ?? null,
      data ?? null,
      delivery.body,
    );
    return { status: quarantine ? "quarantined" : "accepted", seq };
  }

  #synced(at) {
    this.#sql.exec(
      `UPDATE ledger SET first_synced_at = min(coalesce(first_synced_at, ?1), ?1),
                         last_synced_at = max(coalesce(last_synced_at, ?1), ?1)`,
      at,
    );
  }

  // The log is the outbox: what lies beyond what was sent goes out in packs.

  #forward() {
    if (this.#sending || this.#sentSeq >= this.#lastSeq) return;
    this.#sending = true;
    this.ctx.waitUntil(
      this.#sendAll()
        .catch((error) => {
          console.warn(JSON.stringify({ level: "warn", message: "packs not sent", reason: error.message }));
        })
        .finally(() => {
          this.#sending = false;
        }),
    );
  }

  async #sendAll() {
    while (this.#sentSeq < this.#lastSeq) {
      // Before a batch: behind the last one the pause would keep the object awake for nothing.
      const pause_ms = this.#nextBatchAt - Date.now();
      if (pause_ms > 0) await new Promise((resolve) => setTimeout(resolve, pause_ms));
      const { packs, last } = this.#nextPacks();
      if (packs.length > 0) {
        await within(10_000, this.env.RECORDS.sendBatch(packs.map((body) => ({ body, contentType: "text" }))));
      }
      this.#sentSeq = last;
      this.#waitingSince ??= Date.now();
      // One pack that isn't full: let the next one fill.
      this.#nextBatchAt = packs.length === 1 ? Date.now() + BATCH_INTERVAL_MS : 0;
    }
  }

  #nextPacks() {
    const packs = [];
    let open = [];
    let openBytes = 0;
    let bytes = 0;
    let last = this.#sentSeq;
    const close = () => {
      if (open.length > 0) packs.push(`[${open.join(",")}]`);
      open = [];
      openBytes = 0;
    };
    const rows = this.#sql.exec(
      `SELECT seq, model, record_id, kind, occurred_at, received_at, quarantine, data FROM events
       WHERE seq > ? ORDER BY seq LIMIT ?`,
      this.#sentSeq,
      BATCH_EVENTS_MAX,
    );
    for (const row of rows) {
      if (row.quarantine !== null || this.#isSettled(row.seq)) {
        if (row.quarantine === null) close();
        last = row.seq;
        continue;
      }
      const event = this.#cloudEvent(row);
      // Characters beyond ASCII take more bytes; rarely enough for a pack to have room for them.
      const size = event.length + 2;
      if (bytes > 0 && bytes + size > BATCH_BYTES_MAX) break;
      if (openBytes > 0 && openBytes + size > PACK_BYTES_MAX) close();
      open.push(event);
      openBytes += size;
      bytes += size;
      last = row.seq;
    }
    close();
    return { packs, last };
  }

  #isSettled(seq) {
    for (const [first, last] of this.#ahead) if (first <= seq && seq <= last) return true;
    return false;
  }

  #cloudEvent(row) {
    const { source, integration, epoch } = this.#name;
    const origin = `${encodeURIComponent(source)}/${encodeURIComponent(integration)}`;
    const subject = row.record_id === null ? undefined : `${row.model}/${row.record_id}`;
    const head = {
      specversion: "1.0",
      id: String(row.seq),
      source: `/${origin}`,
      type: `leasewire.${row.kind}`,
      subject,
      time: row.occurred_at ?? instant(row.received_at),
      datacontenttype: "application/json",
      dataschema: "urn:leasewire:event:2",
      epoch: String(epoch),
      sequence: String(row.seq).padStart(20, "0"),
      partitionkey: subject,
    };
    if (row.data !== null) {
      const event = `${JSON.stringify(head).slice(0, -1)},"data":${row.data}}`;
      if (event.length <= EVENT_BYTES_MAX) return event;
    }
    const { changes, record, ...data } = JSON.parse(this.data(row.seq));
    return JSON.stringify({ ...head, dataref: `/v1/integrations/${origin}/events/${row.seq}`, data });
  }

  /** The whole data of an event too large for a message. */
  data(seq) {
    return this.#sql
      .exec("SELECT coalesce(data, (SELECT data FROM large WHERE seq = ?1)) AS data FROM events WHERE seq = ?1", seq)
      .one().data;
  }

  /** A consumer has applied this pack. */
  async confirm(first, last) {
    this.#sql.exec("DELETE FROM dead WHERE first_seq >= ? AND last_seq <= ?", first, last);
    this.#settle(first, last);
  }

  /** No consumer could apply this pack. */
  async bury(first, last) {
    this.#sql.exec(
      "INSERT OR REPLACE INTO dead (first_seq, last_seq, died_at) VALUES (?, ?, ?)",
      first,
      last,
      Date.now(),
    );
    this.#settle(first, last);
  }

  #settle(first, last) {
    this.#ahead.set(first, Math.max(last, this.#ahead.get(first) ?? 0));
    const before = this.#confirmedSeq;
    for (;;) {
      const end = this.#ahead.get(this.#confirmedSeq + 1);
      if (end !== undefined) {
        this.#ahead.delete(this.#confirmedSeq + 1);
        this.#confirmedSeq = Math.max(this.#confirmedSeq, end);
        continue;
      }
      // Quarantined events are in no pack.
      const [next] = this.#sql
        .exec("SELECT seq FROM events WHERE seq > ? AND quarantine IS NULL ORDER BY seq LIMIT 1", this.#confirmedSeq)
        .toArray();
      const reached = next ? next.seq - 1 : this.#lastSeq;
      if (reached <= this.#confirmedSeq) break;
      this.#confirmedSeq = reached;
    }
    if (this.#confirmedSeq > before) {
      this.#waitingSince = this.#confirmedSeq < this.#lastSeq ? Date.now() : null;
      this.#attempts = 0;
      this.#sql.exec("UPDATE ledger SET confirmed_seq = ?, attempts = 0", this.#confirmedSeq);
    }
  }

  #arm(now) {
    this.#armed = true;
    const pause = Math.min(WAKE_MS * 2 ** this.#attempts, PAUSE_MS_MAX);
    this.ctx.storage.setAlarm(now + pause * (1 + Math.random() / 4)).catch(() => {});
  }

  /** The safety net: sends again what was sent and not confirmed. */
  async alarm() {
    const now = Date.now();
    this.#armed = false;
    if (this.#confirmedSeq >= this.#lastSeq) return;
    if (this.#waitingSince === null || now - this.#waitingSince > PATIENCE_MS) {
      this.#attempts += 1;
      this.#sql.exec("UPDATE ledger SET attempts = ?", this.#attempts);
      this.#sentSeq = this.#confirmedSeq;
      this.#waitingSince = now;
    }
    this.#arm(now);
    this.#forward();
  }

  /** The ledger's own state. */
  async state() {
    return { last_seq: this.#lastSeq, confirmed_seq: this.#confirmedSeq };
  }
}
