// Calls to the platform that would take many crossings between wasm and
// JavaScript, each made in one, with plain values.

import openapi from "openapi";

const EMPTY = new ArrayBuffer(0);

/** How long a body may take, in milliseconds. Providers send theirs at once. */
const BODY_MS = 30_000;

/** How long D1 may take. Nothing here waits for ever: a hung call would hold up what comes behind. */
const DATABASE_MS = 10_000;

/**
 * The body of `request`; null if it has more than `max` bytes, undefined if it
 * takes too long. The platform holds senders to the length they state; without
 * one it is counted.
 */
export function readBody(request, max) {
  const stated = request.headers.get("content-length");
  if (Number(stated) > max) return Promise.resolve(null);
  const body = stated === null ? readCounted(request, max) : request.arrayBuffer();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, BODY_MS);
    body.then(
      (bytes) => {
        clearTimeout(timer);
        resolve(bytes);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

async function readCounted({ body }, max) {
  if (body === null) return EMPTY;
  const reader = body.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.byteLength;
    if (length > max) {
      // Not awaited: the sender may take its time to notice.
      reader.cancel().catch(() => {});
      return null;
    }
    chunks.push(value);
  }
  return new Blob(chunks).arrayBuffer();
}

/** The header `name` of `request`, or null. */
export const header = (request, name) => request.headers.get(name);

// Browsers are not to take an answer for anything else than it says.
const SNIFFING = { "x-content-type-options": "nosniff" };

// The few sets of headers that there are: the platform copies them faster than it makes new ones.
const kept = new Map();

/** A response that nobody may keep. One more header can be given, of few values. */
export function respond(status, type, body, name, value) {
  const key = name ? `${type}\n${name}\n${value}` : type;
  let headers = kept.get(key);
  if (!headers) {
    headers = new Headers({ "content-type": type, ...SNIFFING, "cache-control": "no-store" });
    if (name) headers.set(name, value);
    kept.set(key, headers);
  }
  return new Response(body, { status, headers });
}

/** A response with its tag; one of status 304 has neither body nor type. */
export function respondTagged(status, type, body, etag, caching) {
  const headers = { ...SNIFFING, "cache-control": caching, etag };
  if (status === 304) return new Response(null, { status, headers });
  return new Response(body, { status, headers: { "content-type": type, ...headers } });
}

/** The API's description. It is kept out of the wasm, which every isolate compiles. */
export const description = () => openapi;

/** A POST of our own, that never leaves the Worker; `headers` are pairs of name and value. */
export function newRequest(path, headers, body) {
  return new Request(`http://localhost${path}`, { method: "POST", headers, body });
}

/**
 * Hands `calls` of `format` to the ledger `name` and returns its answers, with their format in front if it
 * states one. Throws if there are none within `ms`.
 */
export async function callLedger(namespace, name, calls, format, ms) {
  const deadline = Date.now() + ms;
  for (let last = false; ; last = true) {
    try {
      const stub = namespace.get(namespace.idFromName(name));
      return await within(deadline - Date.now(), stub.call(calls, format));
    } catch (error) {
      // Only a new stub can reach an object that has moved; a second call has
      // no effect if the first one had its own. An overloaded object is left
      // alone.
      if (last || !error.retryable || error.overloaded) throw error;
    }
  }
}

/** How long a provider's API may take, its body included: it answers some requests 2 s late by intent. */
const PROVIDER_MS = 15_000;

/**
 * Asks a provider's API, with one header. Returns the status, the headers about the limit of requests (or null)
 * and the body; or one word for why there is none. No redirect is followed: it would take the key along.
 */
export async function askProvider(url, name, value, max, method, body) {
  // Not `AbortSignal.timeout`, which can't be taken back: an object with a timer is awake, and paid for.
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), PROVIDER_MS);
  try {
    const headers = { [name]: value, accept: "application/json" };
    if (body) headers["content-type"] = "application/json";
    const sent = { method, body: body || undefined, headers };
    const response = await fetch(url, { ...sent, redirect: "manual", signal: limit.signal });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      return "redirected";
    }
    const bytes = await readCounted(response, max);
    if (bytes === null) return "too_large";
    const figure = (name) => response.headers.get(`x-ratelimit-${name}`);
    return [response.status, figure("limit"), figure("remaining"), new Uint8Array(bytes)];
  } catch {
    return limit.signal.aborted ? "timeout" : "network";
  } finally {
    clearTimeout(timer);
  }
}

/** Hands `calls` to the connector `name` and returns its answers. Throws if there are none within `ms`. */
export async function callConnector(namespace, name, calls, ms) {
  const stub = namespace.get(namespace.idFromName(name));
  return await within(ms, stub.call(calls));
}

/** Sends each text as a message. Throws if that takes longer than `ms`. */
export async function sendPacks(queue, texts, ms) {
  const messages = texts.map((body) => ({ body, contentType: "text" }));
  await within(ms, queue.sendBatch(messages));
}

/** Runs `work` in a transaction, which is undone if it returns false. */
export function transaction(storage, work) {
  storage.transactionSync(() => {
    if (!work()) throw new Error("rolled back");
  });
}

/** The rows of a statement, each as an array of its columns. */
export function rows(sql, statement, params) {
  return sql
    .exec(statement, ...params)
    .raw()
    .toArray();
}

/** Runs `statement`. */
export function run(sql, statement, params) {
  sql.exec(statement, ...params);
}

/** Sets the alarm. If that fails, the platform restarts the object. */
export function arm(storage, ms) {
  storage.setAlarm(ms).catch(() => {});
}

/** Takes the alarm back. */
export function disarm(storage) {
  storage.deleteAlarm().catch(() => {});
}

/** Milliseconds of the alarm that is set, or null. */
export async function armedFor(storage) {
  return storage.getAlarm();
}

/** Runs `statements`, each `[sql, ...params]`, as one transaction of D1. */
export async function batch(db, statements) {
  const prepared = statements.map(([sql, ...params]) => db.prepare(sql).bind(...params));
  await within(DATABASE_MS, db.batch(prepared));
}

/** The rows of a statement of D1 as JSON, each as an array of its columns. */
export async function select(db, [sql, ...params]) {
  const rows = db
    .prepare(sql)
    .bind(...params)
    .raw();
  return JSON.stringify(await within(DATABASE_MS, rows));
}

/**
 * The same, and behind them the bytes of the database, which only comes with rows by name: each column
 * must have one of its own.
 */
export async function selectSized(db, [sql, ...params]) {
  const all = db
    .prepare(sql)
    .bind(...params)
    .all();
  const { results, meta } = await within(DATABASE_MS, all);
  const rows = results.map(Object.values);
  return JSON.stringify([...rows, ["database", "", "", String(meta?.size_after)]]);
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What `promise` settles to, or an error after `ms`. */
function within(ms, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
