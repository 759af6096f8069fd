// Counts what Cloudflare bills, around a Worker that doesn't notice: its own code runs unchanged, and
// only what it is handed (storage, bindings, console, timers) is counted on the way through. What
// can't be counted is refused, so that nothing is left out by accident. lib/count.mjs puts this module
// around a Worker; GET /counted gives the sums since the start, and how many alarms are set and due soon.
//
// GET /counted?later_ms=N puts the clock forward, for what takes days to happen.
// `wake_sooner`: divides the time until an alarm, for tests that can't wait a minute.

import { AsyncLocalStorage } from "node:async_hooks";

import * as its from "./counted.js";

const { default: worker, wake_sooner } = its;

const sums = {
  requests: 0, // to the Worker from outside
  consumer_calls: 0,
  object_requests: 0, // calls of a Durable Object's methods
  alarms: 0,
  alarms_set: 0,
  objects_opened: 0,
  awake_ms: 0, // of all objects: see Awake
  rows_written: 0,
  history_rows: 0, // of those, by statements that take history away or make room for it
  rows_read: 0,
  d1_rows_written: 0,
  d1_rows_read: 0,
  queue_writes: 0, // in pieces of 64 KB
  queue_reads: 0,
  queue_deletes: 0,
  messages: 0,
  retries: 0,
  log_lines: 0,
};

const refuse = (what) => {
  throw new Error(`${what} is not counted: add it to bench/counting.js`);
};

// ---- The clock: the Worker's, which may be ahead of the real one

const real = Date.now;
let ahead_ms = 0;
Date.now = () => real() + ahead_ms;

// ---- How long an object is billed as awake: while it answers a call or an alarm, and while it can't
// be put to sleep because it waits for a timer, the queue or the database.

const awakeNow = new Set();
/** The object whose code runs, if it is one's. */
const running = new AsyncLocalStorage();

class Awake {
  #reasons = 0;
  #since = 0;

  begin() {
    this.#reasons += 1;
    if (this.#reasons > 1) return;
    this.#since = real();
    awakeNow.add(this);
  }

  end() {
    this.#reasons -= 1;
    if (this.#reasons > 0) return;
    sums.awake_ms += real() - this.#since;
    awakeNow.delete(this);
  }

  /** Awake for as long as `work` takes, which may give a promise. */
  during(work) {
    this.begin();
    try {
      const result = work();
      if (typeof result?.then !== "function") {
        this.end();
        return result;
      }
      return Promise.resolve(result).finally(() => this.end());
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** Adds what is not yet over. */
  static settle() {
    for (const one of awakeNow) {
      sums.awake_ms += real() - one.#since;
      one.#since = real();
    }
  }
}

const { setTimeout: set, clearTimeout: clear } = globalThis;
const timers = new Map();

function timerIsOver(id) {
  timers.get(id)?.end();
  timers.delete(id);
}

globalThis.setTimeout = (work, ms, ...args) => {
  const awake = running.getStore();
  if (!awake) return set(work, ms, ...args);
  const id = set(() => {
    try {
      work(...args);
    } finally {
      timerIsOver(id);
    }
  }, ms);
  awake.begin();
  timers.set(id, awake);
  return id;
};

globalThis.clearTimeout = (id) => {
  timerIsOver(id);
  clear(id);
};

// ---- What an object asks others for

const ask = globalThis.fetch;

globalThis.fetch = (...args) => {
  const awake = running.getStore();
  return awake ? awake.during(() => ask(...args)) : ask(...args);
};

// ---- Log lines

for (const level of ["log", "info", "warn", "error", "debug"]) {
  const write = console[level].bind(console);
  console[level] = (...args) => {
    sums.log_lines += 1;
    write(...args);
  };
}

// ---- Storage

/** Statements whose rows are the history's: a row deleted is billed, a table dropped may not be. */
const OF_HISTORY = /^(?:\s|--[^\n]*\n)*(?:DELETE|DROP|CREATE|ALTER)\b/i;

let cursors = [];

/** Adds what the cursors tell. None of them is read any more when a turn is over. */
function readCursors() {
  for (const { cursor, history } of cursors) {
    sums.rows_written += cursor.rowsWritten;
    sums.rows_read += cursor.rowsRead;
    if (history) sums.history_rows += cursor.rowsWritten;
  }
  cursors = [];
}

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|;|[^'";-]+|-/g;

const TRIGGER = /^\s*CREATE\s+TRIGGER\b/i;
const IS_OVER = /\bEND\s*$/i;

/** The statements in `text`, without comments. */
function statements(text) {
  const all = [""];
  for (const [token] of text.matchAll(TOKEN)) {
    const last = all.at(-1);
    // A trigger has statements of its own.
    if (token === ";" && (IS_OVER.test(last) || !TRIGGER.test(last))) all.push("");
    else if (!token.startsWith("--")) all[all.length - 1] += token;
  }
  return all.filter((statement) => statement.trim() !== "");
}

const countedSql = (sql) => {
  const one = (statement, ...params) => {
    const cursor = sql.exec(statement, ...params);
    if (cursors.push({ cursor, history: OF_HISTORY.test(statement) }) === 1) queueMicrotask(readCursors);
    return cursor;
  };
  return {
    exec(text, ...params) {
      // A cursor tells of the last statement only.
      if (!text.includes(";")) return one(text, ...params);
      const all = statements(text);
      if (all.length > 1 && params.length > 0) refuse("several statements with parameters");
      return all.map((statement) => one(statement, ...params)).at(-1);
    },
    get databaseSize() {
      return sql.databaseSize;
    },
  };
};

/** What costs no row. */
const FREE = new Set(["transactionSync", "transaction", "getAlarm", "sync"]);

/** When the alarm of each object goes off that has one, by the object's id. */
const alarmOf = new Map();
/** One that is further ahead is for old history, which is counted by itself. */
const SOON_MS = 600_000;

const alarmsDue = () => [...alarmOf.values()].filter((at) => at < real() + SOON_MS).length;

function countedStorage(storage, id) {
  const sql = countedSql(storage.sql);
  const alarm = {
    setAlarm(at, ...rest) {
      sums.alarms_set += 1;
      const then = real() + (Number(at) - Date.now()) / wake_sooner;
      alarmOf.set(id, then);
      return storage.setAlarm(then, ...rest);
    },
    deleteAlarm(...rest) {
      alarmOf.delete(id);
      return storage.deleteAlarm(...rest);
    },
  };
  return new Proxy(storage, {
    get(_target, name) {
      if (name === "sql") return sql;
      if (name in alarm) return alarm[name];
      return FREE.has(name) ? storage[name].bind(storage) : refuse(`storage.${String(name)}`);
    },
  });
}

// ---- Bindings

const KB = 1_000;
/** Pieces of 64 KB that a message is billed as, with the 100 bytes that the queue adds to it. */
const pieces = (body) => {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body).length : refuse("a message that isn't text");
  return Math.ceil((bytes + 100) / (64 * KB));
};

const countedQueue = (queue, during) => ({
  sendBatch(messages, ...rest) {
    for (const { body } of messages) sums.queue_writes += pieces(body);
    sums.messages += messages.length;
    return during(() => queue.sendBatch(messages, ...rest));
  },
  send: () => refuse("send() to a queue"),
});

function addMeta({ meta }) {
  sums.d1_rows_written += meta.rows_written;
  sums.d1_rows_read += meta.rows_read;
}

const countedDatabase = (db, during) => ({
  // Single statements are the API's, which is not counted.
  prepare: (sql) => db.prepare(sql),
  async batch(statements) {
    const results = await during(() => db.batch(statements));
    results.forEach(addMeta);
    return results;
  },
});

/** Each call of a stub's method is a request. */
const countedStub = (stub) =>
  new Proxy(stub, {
    get:
      (_target, name) =>
      (...args) => {
        sums.object_requests += 1;
        return stub[name](...args);
      },
  });

const countedNamespace = (namespace) => ({
  idFromName: (name) => namespace.idFromName(name),
  get: (id, options) => countedStub(namespace.get(id, options)),
});

const known = new WeakMap();

/** The Worker's bindings; an object's own ones keep it awake while they are used. */
function countedBindings(env, awake) {
  if (!awake && known.has(env)) return known.get(env);
  const during = awake ? (work) => awake.during(work) : (work) => work();
  const counted = { ...env };
  if (env.DB) counted.DB = countedDatabase(env.DB, during);
  if (env.RECORDS) counted.RECORDS = countedQueue(env.RECORDS, during);
  for (const name of ["LEDGER", "CONNECTOR"]) if (env[name]) counted[name] = countedNamespace(env[name]);
  if (!awake) known.set(env, counted);
  return counted;
}

// ---- The objects

/** Of each object how it is awake, and its id. */
const partsOf = new WeakMap();

function countedObject(Real) {
  class Counted extends Real {
    constructor(ctx, env) {
      const awake = new Awake();
      const { storage } = ctx;
      const id = ctx.id.toString();
      Object.defineProperty(ctx, "storage", { value: countedStorage(storage, id) });
      super(ctx, countedBindings(env, awake));
      sums.objects_opened += 1;
      partsOf.set(this, { awake, id });
    }
  }
  for (const name of Object.getOwnPropertyNames(Real.prototype)) {
    if (name === "constructor") continue;
    const method = Real.prototype[name];
    Counted.prototype[name] = function counted(...args) {
      const { awake, id } = partsOf.get(this);
      if (name === "alarm") {
        sums.alarms += 1;
        alarmOf.delete(id);
      }
      return running.run(awake, () => awake.during(() => method.apply(this, args)));
    };
  }
  return Counted;
}

export const Ledger = countedObject(its.Ledger);
/** Not every Worker that is counted has one. */
export const Connector = its.Connector ? countedObject(its.Connector) : class {};

// ---- The Worker

const DEAD_QUEUE = "leasewire-dead";

function countedMessage(message, queue) {
  const cost = pieces(message.body);
  sums.queue_reads += cost;
  // What is found in the dead-letter queue was written there by the platform.
  if (queue === DEAD_QUEUE && message.attempts === 1) sums.queue_writes += cost;
  let settled = false;
  const once =
    (note, settle) =>
    (...args) => {
      if (!settled) note();
      settled = true;
      return settle(...args);
    };
  const { id, timestamp, body, attempts } = message;
  const ack = once(
    () => (sums.queue_deletes += cost),
    () => message.ack(),
  );
  const retry = once(
    () => (sums.retries += 1),
    (options) => message.retry(options),
  );
  const finish = (well) => settled || (well ? ack : retry)();
  return { message: { id, timestamp, body, attempts, ack, retry }, finish };
}

async function queue(batch, env, ctx) {
  sums.consumer_calls += 1;
  const counted = batch.messages.map((message) => countedMessage(message, batch.queue));
  const finish = (well) => {
    for (const one of counted) one.finish(well);
  };
  try {
    const messages = counted.map(({ message }) => message);
    await worker.queue({ queue: batch.queue, messages }, countedBindings(env), ctx);
    finish(true);
  } catch (error) {
    finish(false);
    throw error;
  }
}

export default {
  fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/counted") {
      ahead_ms += Number(url.searchParams.get("later_ms") ?? 0);
      Awake.settle();
      return Response.json({ ...sums, alarms_due: alarmsDue() });
    }
    sums.requests += 1;
    return worker.fetch(request, countedBindings(env), ctx);
  },
  queue,
  scheduled: (event, env, ctx) => worker.scheduled(event, countedBindings(env), ctx),
};
