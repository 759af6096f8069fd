// The twin: the Worker that a careful engineer would write by hand in JavaScript for the same job.
//
// It verifies with WebCrypto, gives every integration a Durable Object that dedupes, numbers and
// folds in one transaction, sends packs to the queue, and upserts them into D1. It gives the same
// answers as Leasewire to the same requests (twin.test.mjs), and takes each short cut that the
// language offers: JSON.parse, though it rounds numbers, and an index to find duplicates, though
// that costs a row for each event. It speaks two of the four dialects.

import { applyPack } from "./twin/consumer.js";
import { DIALECTS, read } from "./twin/dialects.js";
import { COMMON, notAllowed, PROBLEMS } from "./twin/problems.js";
import { within } from "./twin/within.js";

export { Ledger } from "./twin/ledger.js";

const BODY_BYTES_MAX = 1 << 20;
const BODY_MS_MAX = 30_000;
const LEDGER_MS_MAX = 4_000;

const encoder = new TextEncoder();

const keys = new Map();

/** The keys of a source's secrets, one a line, imported once. */
async function keysOf(name, env) {
  let found = keys.get(name);
  if (!found) {
    const secrets = (env[name] ?? "")
      .split(/[\r\n]/)
      .map((line) => line.trim())
      .filter(Boolean);
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    found = await Promise.all(
      secrets.map((secret) => crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["verify"])),
    );
    keys.set(name, found);
  }
  return found;
}

const JSON_HEADERS = new Headers({ "content-type": "application/json", ...COMMON });

const json = (body) => new Response(body, { headers: JSON_HEADERS });

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
  // Anybody can send a body: it is read only where it may be authentic.
  const signature = digits(request.headers.get(dialect.header), dialect.prefix);
  if (!signature) return PROBLEMS.bad_signature;
  const body = await within(BODY_MS_MAX, bytesOf(request)).catch(() => undefined);
  if (body === undefined) return PROBLEMS.too_slow;
  if (body === null) return PROBLEMS.too_large;
  line.bytes = body.byteLength;

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
    identity: reading.identity,
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

const NOT_POST = notAllowed("POST");
const NOT_GET = notAllowed("GET, HEAD");

/** The parts of a path, without the slashes that say nothing; undefined if it can't be decoded. */
function partsOf(path) {
  const [, first, rest] = /^\/*([^/]*)\/*(.*?)\/*$/.exec(path);
  try {
    return [first, ...(rest ? rest.split("/") : [])].map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** What there is to say to a request: JSON, or a problem. */
function route(request, env, path, line) {
  const [first, second, ...more] = partsOf(path) ?? [];
  const { method } = request;
  if (first === "webhooks" && second && more.length === 0) {
    return method === "POST" ? webhook(request, env, second, line) : NOT_POST;
  }
  if (first === "healthz" && second === undefined) {
    return method === "GET" || method === "HEAD" ? '{"status":"ok"}' : NOT_GET;
  }
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
