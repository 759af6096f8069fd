// The twin: the Worker that a careful engineer would write by hand in JavaScript for the same job.
//
// It verifies with WebCrypto, gives every integration a Durable Object that dedupes, numbers and
// folds in one transaction, sends packs to the queue, and upserts them into D1. It gives the same
// answers as Leasewire to the same requests (twin.test.mjs), and takes each short cut that the
// language offers: JSON.parse, though it rounds numbers, and an index to find duplicates, though
// that costs a row for each event. It speaks two of the four dialects.

import { DurableObject } from "cloudflare:workers";

import { DIALECTS, read } from "./twin/dialects.js";
import { PROBLEMS } from "./twin/problems.js";
import { fold, canRepeat } from "./twin/fold.js";
import { applyPack } from "./twin/consumer.js";

const BODY_BYTES_MAX = 1 << 20;
const WINDOW_MS = 48 * 3_600_000;
const LEDGER_MS_MAX = 4_000;

const PACK_BYTES_MAX = 64_000;
const EVENT_BYTES_MAX = 127_000;
const BATCH_BYTES_MAX = 250_000;
const BATCH_EVENTS_MAX = 600;
const BATCH_INTERVAL_MS = 1_000;
const WAKE_MS = 60_000;
const PATIENCE_MS = 45_000;
const PAUSE_MS_MAX = 3_600_000;
const ROW_BYTES_MAX = 1_900_000;

const encoder = new TextEncoder();

// ---- The edge

const keys = new Map();

/** The keys of a source's secrets, imported once. */
async function keysOf(name, env) {
  let found = keys.get(name);
  if (!found) {
    const secrets = (env[name] ?? "").split(/\s+/).filter(Boolean);
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    found = await Promise.all(
      secrets.map((secret) => crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["verify"])),
    );
    keys.set(name, found);
  }
  return found;
}

const json = (body) => new Response(body, { headers: { "content-type": "application/json" } });

const refuse = ({ status, body, headers }) => new Response(body, { status, headers });

/** The bytes of a hexadecimal HMAC-SHA256, or null for anything else. */
function digits(text, prefix) {
  const hex = text?.trim();
  if (!hex?.startsWith(prefix) || hex.length !== prefix.length + 64) return null;
  const bytes = new Uint8Array(32);
  for (let i = 0, at = prefix.length; i < 32; i++, at += 2) {
    const high = digit(hex.charCodeAt(at));
    const low = digit(hex.charCodeAt(at + 1));
    if ((high | low) < 0) return null;
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

function digit(code) {
  if (code >= 48 && code <= 57) return code - 48;
  code |= 32;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}

/** The body, or null if it's too large. A stated length is enforced by the platform. */
async function bytesOf(request) {
  const length = request.headers.get("content-length");
  if (length !== null) return Number(length) > BODY_BYTES_MAX ? null : request.arrayBuffer();
  if (request.body === null) return new ArrayBuffer(0);
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return new Blob(chunks).arrayBuffer();
}

async function webhook(request, env, name, line) {
  const source = env.SOURCES[name];
  if (!source) return PROBLEMS.unknown_source;
  line.source = name;
  const dialect = DIALECTS[source.dialect];
  const secrets = dialect ? await keysOf(source.secret, env) : [];
  if (secrets.length === 0) return PROBLEMS.source_not_ready;
  const body = await bytesOf(request);
  if (body === null) return PROBLEMS.too_large;
  line.bytes = body.byteLength;

  const signature = digits(request.headers.get(dialect.header), dialect.prefix);
  if (!signature) return PROBLEMS.bad_signature;
  const valid = await Promise.all(secrets.map((key) => crypto.subtle.verify("HMAC", key, signature, body)));
  if (!valid.includes(true)) return PROBLEMS.bad_signature;

  const now = Date.now();
  const reading = read(dialect, body, now);
  if (reading.tooOld) return PROBLEMS.bad_signature;
  const { event } = reading;
  if (reading.ping) {
    line.event = "test.ping";
    line.outcome = "pong";
    return '{"status":"pong"}';
  }
  line.event = event?.name;
  line.model = event?.model;
  line.record_id = event?.recordId;
  line.integration = reading.integration ?? source.default_integration ?? "default";

  const identity = reading.syncId === undefined ? body : encoder.encode(`sync\0${reading.syncId}`);
  const key = await crypto.subtle.digest("SHA-256", identity);
  const delivery = {
    source: name,
    integration: line.integration,
    key: key.slice(0, 16),
    body,
    event,
    repeatable: reading.repeatable,
    unclear: reading.unclear,
  };
  let taken;
  try {
    taken = await handOver(env, delivery);
  } catch (error) {
    line.reason = error.message;
    return PROBLEMS.ledger_unavailable;
  }
  line.outcome = taken.status;
  line.seq = taken.seq;
  return `{"status":"${taken.status}","seq":${taken.seq}}`;
}

async function handOver(env, delivery) {
  const deadline = Date.now() + LEDGER_MS_MAX;
  for (let last = false; ; last = true) {
    const stub = env.LEDGER.get(env.LEDGER.idFromName(`${delivery.source}/${delivery.integration}`));
    try {
      return await within(deadline - Date.now(), stub.intake(delivery));
    } catch (error) {
      if (last || !error.retryable || error.overloaded) throw error;
    }
  }
}

async function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What there is to say to a request: JSON, or a problem. */
function route(request, env, path, line) {
  const parts = path.split("/");
  if (parts.length === 3 && parts[1] === "webhooks" && parts[2] !== "") {
    if (request.method !== "POST") return PROBLEMS.method_not_allowed;
    return webhook(request, env, decodeURIComponent(parts[2]), line);
  }
  if (path === "/healthz") return '{"status":"ok"}';
  return PROBLEMS.not_found;
}

async function fetch(request, env) {
  const started = Date.now();
  const path = new URL(request.url).pathname;
  const line = { level: "info", message: `${request.method} ${path}`, status: 200 };
  const answer = await route(request, env, path, line);
  const response = typeof answer === "string" ? json(answer) : refuse(answer);
  if (typeof answer !== "string") {
    line.status = answer.status;
    line.outcome = answer.label;
    line.level = answer.status >= 500 ? "error" : "warn";
  }
  line.duration_ms = Date.now() - started;
  const log = { info: console.log, warn: console.warn, error: console.error }[line.level];
  log(JSON.stringify(line));
  return response;
}

// ---- The ledger

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY, source TEXT, integration TEXT, confirmed_seq INTEGER DEFAULT 0,
    attempts INTEGER DEFAULT 0, first_synced_at INTEGER, last_synced_at INTEGER);
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, key BLOB, received_at INTEGER, model TEXT, record_id TEXT, name TEXT,
    kind TEXT, occurred_at INTEGER, quarantine TEXT, data TEXT, body BLOB);
  CREATE INDEX IF NOT EXISTS events_by_key ON events (key);
  CREATE TABLE IF NOT EXISTS records (
    model TEXT, record_id TEXT, last_seq INTEGER, version INTEGER, fields TEXT, partial INTEGER,
    drift INTEGER, occurred_at INTEGER, version_key TEXT, PRIMARY KEY (model, record_id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS large (seq INTEGER PRIMARY KEY, data TEXT);
  CREATE TABLE IF NOT EXISTS dead (first_seq INTEGER PRIMARY KEY, last_seq INTEGER, died_at INTEGER);`;

const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

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
      this.#sql.exec("INSERT INTO ledger (id, source, integration) VALUES (1, ?, ?)", source, integration);
      this.#name = { source, integration };
    }
    const { event } = delivery;
    const seq = this.#lastSeq + 1;
    const known = event?.recordId === undefined ? undefined : this.#record(event);
    let ambiguous = false;
    const [first] = this.#sql
      .exec(
        "SELECT seq FROM events WHERE key = ? AND received_at > ? ORDER BY seq DESC LIMIT 1",
        delivery.key,
        now - WINDOW_MS,
      )
      .toArray();
    if (first) {
      ambiguous =
        delivery.repeatable && known && known.last_seq !== first.seq && canRepeat(known.fields, event.change);
      if (!ambiguous) return { status: "duplicate", seq: first.seq };
    }
    if (!event) return this.#keep(delivery, seq, now, { quarantine: delivery.unclear });
    if (event.recordId === undefined) {
      if (event.sync && event.fields.is_sync_finished !== false) this.#synced(event.occurredAt ?? now);
      const data = JSON.stringify({ event: event.name, ...event.fields });
      return this.#keep(delivery, seq, now, { ...event, data });
    }
    const { record, changes, late } = fold(known, event, seq, hex(delivery.key));
    const data = JSON.stringify({
      event: event.name ?? null,
      model: event.model,
      record_id: event.recordId,
      changes,
      record: record.fields,
      version: record.version,
      partial: record.partial,
      drift: record.drift,
      late,
      ambiguous: Boolean(ambiguous),
    });
    if (data.length > ROW_BYTES_MAX) return this.#keep(delivery, seq, now, { quarantine: "too_large" });
    this.#keepRecord(event, seq, record);
    return this.#keep(delivery, seq, now, { ...event, data });
  }

  #record({ model, recordId }) {
    const [row] = this.#sql
      .exec("SELECT * FROM records WHERE model = ? AND record_id = ?", model, recordId)
      .toArray();
    if (row) {
      row.fields = JSON.parse(row.fields);
      row.partial = row.partial === 1;
      row.drift = row.drift === 1;
    }
    return row;
  }

  #keepRecord({ model, recordId }, seq, { version, fields, partial, drift, occurred_at, version_key }) {
    this.#sql.exec(
      `INSERT INTO records (model, record_id, last_seq, version, fields, partial, drift, occurred_at, version_key)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET last_seq = excluded.last_seq, version = excluded.version,
         fields = excluded.fields, partial = excluded.partial, drift = excluded.drift,
         occurred_at = excluded.occurred_at, version_key = excluded.version_key`,
      model, recordId, seq, version, JSON.stringify(fields), partial ? 1 : 0, drift ? 1 : 0,
      occurred_at ?? null, version_key,
    );
  }

  #keep(delivery, seq, now, { model, recordId, name, kind, occurredAt, quarantine, data }) {
    if (data && data.length + delivery.body.byteLength > ROW_BYTES_MAX) {
      this.#sql.exec("INSERT INTO large (seq, data) VALUES (?, ?)", seq, data);
      data = undefined;
    }
    this.#sql.exec(
      `INSERT INTO events (seq, key, received_at, model, record_id, name, kind, occurred_at, quarantine, data, body)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      seq, delivery.key, now, model ?? null, recordId ?? null, name ?? null, kind ?? null, occurredAt ?? null,
      quarantine ?? null, data ?? null, delivery.body,
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
      this.#sentSeq, BATCH_EVENTS_MAX,
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
    const { source, integration } = this.#name;
    const origin = `${encodeURIComponent(source)}/${encodeURIComponent(integration)}`;
    const subject = row.record_id === null ? undefined : `${row.model}/${row.record_id}`;
    const head = {
      specversion: "1.0",
      id: String(row.seq),
      source: `/${origin}`,
      type: `leasewire.${row.kind}`,
      subject,
      time: new Date(row.occurred_at ?? row.received_at).toISOString(),
      datacontenttype: "application/json",
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
    this.#sql.exec("INSERT OR REPLACE INTO dead (first_seq, last_seq, died_at) VALUES (?, ?, ?)", first, last, Date.now());
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

export default {
  fetch,
  async queue(batch, env) {
    const dead = batch.queue === "leasewire-dead";
    await Promise.all(
      batch.messages.map(async (message) => {
        const started = Date.now();
        const line = { level: dead ? "error" : "info", message: dead ? "dead pack" : "pack" };
        try {
          await applyPack(message, env, line, dead);
          message.ack();
        } catch (error) {
          line.level = "warn";
          line.outcome = "retry";
          line.reason = error.message;
          message.retry();
        }
        line.duration_ms = Date.now() - started;
        console.log(JSON.stringify(line));
      }),
    );
  },
};
