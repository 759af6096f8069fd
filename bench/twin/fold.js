// An event into its record's state.

const isObject = (value) => typeof value === "object" && value !== null;

/** True if two values of JSON mean the same. */
export function same(a, b) {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

/** Folds `event` into what is known of its record. */
export function fold(known, event, seq, key) {
  const { change } = event;
  if (change.whole) return whole(known, event, seq, key);
  const fields = { ...known?.fields };
  const changes = {};
  let contradicted = false;
  if (change.payload) {
    for (const [name, value] of Object.entries(change.payload)) {
      if (Object.hasOwn(fields, name) && !same(fields[name], value)) {
        contradicted = true;
        changes[name] = { old: fields[name], new: value };
      }
      fields[name] = value;
    }
  } else {
    const { previous, next } = change;
    for (const [name, was] of Object.entries(previous)) {
      if (Object.hasOwn(fields, name) && !same(fields[name], was)) contradicted = true;
    }
    for (const [name, value] of Object.entries(next)) {
      changes[name] = { old: previous[name] ?? null, new: value };
      fields[name] = value;
    }
    for (const [name, was] of Object.entries(previous)) {
      if (!Object.hasOwn(next, name)) {
        changes[name] = { old: was, new: null };
        fields[name] = null;
      }
    }
  }
  const record = {
    version: seq,
    fields,
    partial: known?.partial ?? true,
    drift: contradicted || (known?.drift ?? false),
    occurred_at: event.occurredAt,
    version_key: key,
  };
  return { record, changes, late: false };
}

function whole(known, event, seq, key) {
  const { whole: fields, changes: stated } = event.change;
  const time = event.occurredAt;
  if (known && (known.occurred_at > time || (known.occurred_at === time && known.version_key >= key))) {
    return { record: known, changes: stated ?? {}, late: true };
  }
  const record = { version: seq, fields, partial: false, drift: false, occurred_at: time, version_key: key };
  return { record, changes: stated ?? (known ? difference(known.fields, fields) : {}), late: false };
}

function difference(before, after) {
  const changes = {};
  for (const [name, value] of Object.entries(after)) {
    if (!Object.hasOwn(before, name) || !same(before[name], value)) changes[name] = { old: before[name] ?? null, new: value };
  }
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) changes[name] = { old: before[name], new: null };
  }
  return changes;
}

/** True if bytes seen before can be a second, real event: the record is again what they say it was. */
export function canRepeat(fields, { previous, next }) {
  if (!previous) return false;
  const names = Object.keys(previous);
  return (
    names.every((name) => Object.hasOwn(fields, name) && same(fields[name], previous[name])) &&
    names.some((name) => !same(previous[name], next[name] ?? null))
  );
}
