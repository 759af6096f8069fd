// How two of the providers sign and write: Propexo with all its envelopes, and MeterBase.

import { time } from "./time.js";

// It passes over a byte order mark.
const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

const FUTURE_MS = 5 * 60_000;
const METERBASE_AGE_MS = 48 * 3_600_000;
const ID_BYTES_MAX = 1_024;

/** The integration of what names one that can't be read. */
export const UNADDRESSED = "leasewire-unaddressed";

/** Thrown where a body isn't understood. */
class Unclear {
  constructor(why) {
    this.why = why;
  }
}

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const object = (value) => (isObject(value) ? value : undefined);
const flag = (value) => (typeof value === "boolean" ? value : undefined);
const has = (value) => value !== undefined && value !== null;

/** A string, unless half of a surrogate pair stands in it, which is no text. */
const text = (value) => (typeof value === "string" && value.isWellFormed() ? value : undefined);

/** An identifier: a string, or the digits of an integer. */
const id = (value) => text(value) ?? (Number.isInteger(value) && value >= 0 ? String(value) : undefined);

/**
 * What `read` makes of a field's value; undefined if there is none. One that is there and can't be read
 * must not count as missing: what stands in for it would be taken for what the sender said. So the
 * places where a field may stand are joined by `??`, and what is in the first that has it is read.
 */
function stated(value, read, why) {
  if (!has(value)) return undefined;
  const found = read(value);
  if (found === undefined) throw new Unclear(why);
  return found;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what it looks for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/;

/** True if something can be named so; `.` and `..` can't be in a path. */
function isUsable(name) {
  if (name === "" || name === "." || name === ".." || CONTROL_CHARACTER.test(name)) return false;
  // A character has three bytes at the most for each unit of its length.
  return name.length * 3 <= ID_BYTES_MAX || encoder.encode(name).length <= ID_BYTES_MAX;
}

const usableId = (value) => {
  const found = id(value);
  return found !== undefined && isUsable(found) ? found : undefined;
};

/**
 * What a body says: `integration`, `event` or `unclear`, `identity`, which tells how a repetition is
 * known, and `syncId`; or `tooOld` or `ping`. Never fails, since what isn't understood is a reading too.
 */
export function read(dialect, body, now) {
  let json;
  try {
    json = decoder.decode(body);
  } catch {
    return { unclear: "not_utf8" };
  }
  let root;
  try {
    root = JSON.parse(json);
  } catch {
    return { unclear: "not_json" };
  }
  if (!isObject(root)) return { unclear: "not_an_object" };
  const signedAt = dialect.signedAt?.(root);
  const age_ms = signedAt === undefined ? 0 : now - Date.parse(signedAt);
  if (age_ms > METERBASE_AGE_MS || age_ms < -FUTURE_MS) return { tooOld: true };
  let integration = UNADDRESSED;
  try {
    integration = stated(dialect.integration(root), usableId, "bad_integration");
    return { integration, ...dialect.understand(root, signedAt) };
  } catch (error) {
    if (!(error instanceof Unclear)) throw error;
    return { integration, unclear: error.why };
  }
}

const models = new Map();

/** A model's name in snake_case and plural; there are about a hundred. */
function modelName(name) {
  let plural = models.get(name);
  if (plural === undefined) {
    const lower = (letters) => letters.toLowerCase();
    plural = pluralOf(
      name
        .trim()
        .replace(/[- ]/g, "_")
        .replace(/[A-Z]+/g, lower),
    );
    if (models.size < 1_000) models.set(name, plural);
  }
  return plural;
}

function pluralOf(name) {
  if (/(^|_)(feedback|history|metadata|data|status)$/.test(name) || /(?<!s)s$/.test(name)) return name;
  if (/[^aeiouy]y$/.test(name)) return name.replace(/y$/, "ies");
  return /(ss|x|z|ch|sh)$/.test(name) ? `${name}es` : `${name}s`;
}

function about(model, recordId) {
  const record = stated(recordId, id, "no_record_id");
  if (record === undefined) throw new Unclear("no_record_id");
  const name = stated(model, text, "no_model");
  if (name === undefined || !isUsable(name.trim())) throw new Unclear("no_model");
  if (!isUsable(record)) throw new Unclear("bad_record_id");
  return { model: modelName(name), recordId: record };
}

const CONTROL = {
  FIRST_SYNC_COMPLETE: "sync.first_completed",
  SYNC_COMPLETE: "sync.completed",
  JOB_FAILURE: "job.failed",
  JOB_SUCCESS: "job.succeeded",
  WRITE_OPERATION_FAILURE: "write.failed",
};

const NOTHING = {};

/** How a record changes: `payload` is a new one's, beside a diff or in an update the rest of it. */
function changeOf(data, root, isUpdate) {
  const diff = stated(data.diff ?? root.diff, object, "unknown_envelope");
  const payload = stated(data.payload ?? root.payload, object, "unknown_envelope");
  if (!diff && !payload) return undefined;
  if (!diff && !isUpdate) return { payload };
  const next = diff ? stated(diff.new, object, "unknown_envelope") : NOTHING;
  if (!next) throw new Unclear("unknown_envelope");
  const previous = stated(diff?.previous, object, "unknown_envelope") ?? NOTHING;
  if (!payload) return { previous, next };
  const rest = Object.entries(payload).filter(([name]) => !Object.hasOwn(next, name));
  return { previous, next, rest: Object.fromEntries(rest) };
}

const isEndOfSync = ({ successful_job_count, failed_job_count, is_sync_finished }) =>
  has(successful_job_count) && has(failed_job_count) && has(is_sync_finished);

function propexoEvent(root, data) {
  const name = stated(root.event ?? root.trigger ?? data.event, text, "unknown_envelope") || undefined;
  const notice = (kind) => {
    const sync = kind.startsWith("sync.");
    if (sync) stated(data.is_sync_finished, flag, "bad_field");
    return { name, kind, sync, fields: data };
  };
  if (name !== undefined && Object.hasOwn(CONTROL, name)) return notice(CONTROL[name]);
  const change = changeOf(data, root, name === "DATA_UPDATE");
  if (!change) {
    if (name === undefined && isEndOfSync(data)) return notice("sync.completed");
    if (name === undefined || name === "DATA_NEW" || name === "DATA_UPDATE") {
      throw new Unclear("unknown_envelope");
    }
    return notice("event");
  }
  const meta = () => stated(root.meta, object, "no_model") ?? NOTHING;
  const subject = about(root.object ?? data.object ?? meta().object, root.record_id ?? data.record_id);
  const property = (place) => stated(place.context, object, "bad_field")?.property_id;
  stated(property(root) ?? property(data), id, "bad_field");
  return { name, kind: change.payload ? "record.created" : "record.updated", ...subject, change };
}

const propexo = {
  header: "propexo-signature",
  prefix: "",
  integration(root) {
    const within = (place) => (stated(place, object, "bad_integration") ?? NOTHING).integration_id;
    return root.integration_id ?? within(root.data) ?? within(root.meta);
  },
  understand(root) {
    const data = stated(root.data, object, "unknown_envelope") ?? root;
    const event = propexoEvent(root, data);
    const isNotice = event.recordId === undefined;
    // A root job touches many records, but ends once.
    const hasJob =
      stated(root.job_id ?? data.job_id, id, "bad_event_id") ||
      (isNotice && stated(root.root_job_id ?? data.root_job_id, id, "bad_event_id"));
    return { event, identity: hasJob ? "job" : isNotice ? "notice" : "record" };
  },
};

function meterbaseEvent(body, name, occurredAt) {
  if (occurredAt === undefined) throw new Unclear("bad_time");
  const sync = name === "sync.complete";
  const isAboutRecord = !sync && (has(body.resource_type) || name === "data.new" || name === "data.update");
  if (!isAboutRecord) return { name, kind: sync ? "sync.completed" : "event", sync, occurredAt, fields: body };
  const whole = object(body.data);
  if (!whole) throw new Unclear("unknown_envelope");
  const subject = about(body.resource_type, whole.id);
  return { name, kind: meterbaseKind(name), occurredAt, ...subject, change: { whole, changes: object(body.changes) } };
}

const meterbaseKind = (name) =>
  ({ "data.new": "record.created", "data.update": "record.updated" })[name] ?? "record.snapshot";

const meterbase = {
  header: "x-propexo-signature",
  prefix: "sha256=",
  signedAt({ timestamp }) {
    const said = text(timestamp);
    return said === undefined ? undefined : time(said);
  },
  integration: (body) => body.connection_id,
  understand(body, signedAt) {
    const name = stated(body.event, text, "unknown_envelope");
    if (!name) throw new Unclear("unknown_envelope");
    if (name === "test.ping") return { ping: true };
    const event = meterbaseEvent(body, name, signedAt);
    // Whatever else names a synchronisation is one of many events of it.
    const syncId = event.sync ? stated(body.sync_id, id, "bad_event_id") : undefined;
    return { event, identity: "body", syncId: syncId || undefined };
  },
};

/** What a MeterBase body, understood before, says of its record. */
export function saidOf(body) {
  const { event, data, changes } = JSON.parse(decoder.decode(body));
  return { isCreation: meterbaseKind(event) === "record.created", fields: data, changes: object(changes) };
}

export const DIALECTS = { propexo, meterbase };
