// How two of the providers sign and write: Propexo with all its envelopes, and MeterBase.

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const FUTURE_MS = 5 * 60_000;
const METERBASE_AGE_MS = 48 * 3_600_000;

const unclear = (why) => ({ unclear: why });

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const object = (value) => (isObject(value) ? value : undefined);
const text = (value) => (typeof value === "string" ? value : undefined);
const has = (value) => value !== undefined && value !== null;

/** An identifier: a string, or the digits of an integer. */
const id = (value) => text(value) ?? (Number.isInteger(value) && value >= 0 ? String(value) : undefined);

// eslint-disable-next-line no-control-regex
const isUsable = (name) => name !== "" && name.length <= 1_024 && !/[\u0000-\u001f\u007f-\u009f]/.test(name);

/** What a body says; never fails, since what isn't understood is a reading too. */
export function read(dialect, body, now) {
  let json;
  try {
    json = decoder.decode(body);
  } catch {
    return unclear("not_utf8");
  }
  let value;
  try {
    value = JSON.parse(json);
  } catch {
    return unclear("not_json");
  }
  return isObject(value) ? dialect.understand(value, now) : unclear("not_an_object");
}

const models = new Map();

/** A model's name in snake_case and plural; there are about a hundred. */
function modelName(name) {
  let plural = models.get(name);
  if (plural === undefined) {
    plural = pluralOf(name.trim().replace(/[- ]/g, "_").toLowerCase());
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
  if (recordId === undefined) return unclear("no_record_id");
  if (model === undefined || !isUsable(model.trim())) return unclear("no_model");
  if (!isUsable(recordId)) return unclear("bad_record_id");
  return { model: modelName(model), recordId };
}

/** Adds what is the same for both to what a dialect has read. */
function finish(reading) {
  if (reading.integration !== undefined && !isUsable(reading.integration)) {
    return { ...unclear("bad_integration"), syncId: reading.syncId };
  }
  return reading;
}

const CONTROL = {
  FIRST_SYNC_COMPLETE: "sync.first_completed",
  SYNC_COMPLETE: "sync.completed",
  JOB_FAILURE: "job.failed",
  JOB_SUCCESS: "job.succeeded",
  WRITE_OPERATION_FAILURE: "write.failed",
};

function diffOrPayload(body) {
  if (has(body.diff)) {
    const next = object(object(body.diff)?.new);
    const previous = has(body.diff.previous) ? object(body.diff.previous) : {};
    return next && previous ? { previous, next } : unclear("unknown_envelope");
  }
  if (has(body.payload)) {
    return isObject(body.payload) ? { payload: body.payload } : unclear("unknown_envelope");
  }
}

function propexo(root) {
  const data = object(root.data) ?? root;
  const meta = object(root.meta) ?? {};
  const name = (text(root.event) ?? text(root.trigger) ?? text(data.event)) || undefined;
  const hasJob = has(root.job_id) || has(data.job_id);
  const hasRecord = has(root.record_id) || has(data.record_id);
  const reading = {
    integration: id(root.integration_id) ?? id(data.integration_id) ?? id(meta.integration_id),
    repeatable: hasRecord && !hasJob,
  };
  const notice = (kind) => finish({ ...reading, event: { name, kind, sync: kind.startsWith("sync."), fields: data } });
  if (name !== undefined && Object.hasOwn(CONTROL, name)) return notice(CONTROL[name]);
  const change = diffOrPayload(data) ?? diffOrPayload(root);
  if (change?.unclear) return finish({ ...reading, ...change });
  if (!change) {
    if (name === undefined || name === "DATA_NEW" || name === "DATA_UPDATE") {
      return finish({ ...reading, ...unclear("unknown_envelope") });
    }
    return notice("event");
  }
  const subject = about(
    text(root.object) ?? text(data.object) ?? text(meta.object),
    id(root.record_id) ?? id(data.record_id),
  );
  if (subject.unclear) return finish({ ...reading, ...subject });
  const kind = change.payload ? "record.created" : "record.updated";
  return finish({ ...reading, event: { name, kind, ...subject, change } });
}

const ISO = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(Z|z|[+-]\d\d:\d\d)?$/;

/** Milliseconds since 1970 of a time in ISO 8601, in UTC where it names no offset. */
function time(value) {
  const stated = text(value)?.trim();
  if (!stated || !ISO.test(stated)) return undefined;
  const ms = Date.parse(/([Zz]|[+-]\d\d:\d\d)$/.test(stated) ? stated : `${stated}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

function meterbase(body, now) {
  const at = time(body.timestamp);
  if (at !== undefined && (at < now - METERBASE_AGE_MS || at > now + FUTURE_MS)) return { tooOld: true };
  const name = text(body.event);
  if (name === "test.ping") return { ping: true };
  const reading = { integration: id(body.connection_id), syncId: id(body.sync_id) || undefined };
  if (!name) return finish({ ...reading, ...unclear("unknown_envelope") });
  if (at === undefined) return finish({ ...reading, ...unclear("bad_time") });
  if (has(body.resource_type) || name === "data.new" || name === "data.update") {
    const whole = object(body.data);
    if (!whole) return finish({ ...reading, ...unclear("unknown_envelope") });
    const subject = about(text(body.resource_type), id(whole.id));
    if (subject.unclear) return finish({ ...reading, ...subject });
    const kind = { "data.new": "record.created", "data.update": "record.updated" }[name] ?? "record.snapshot";
    const change = { whole, changes: object(body.changes) };
    return finish({ ...reading, event: { name, kind, occurredAt: at, ...subject, change } });
  }
  const sync = name === "sync.complete";
  const kind = sync ? "sync.completed" : "event";
  return finish({ ...reading, event: { name, kind, sync, occurredAt: at, fields: body } });
}

export const DIALECTS = {
  propexo: { header: "propexo-signature", prefix: "", understand: propexo },
  meterbase: { header: "x-propexo-signature", prefix: "sha256=", understand: meterbase },
};
