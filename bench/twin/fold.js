// An event into its record's state.

import { same } from "./same.js";
import { inOrder } from "./ties.js";

/** So many events of a record's present time are compared with the next one of it. */
const TIED_MAX = 64;

/** What a field is: without a value, null, since senders leave out `undefined`. */
const fieldOf = (fields, name) => (Object.hasOwn(fields, name) ? fields[name] : null);

/** True if what `known` reflects happened at the very time of `event`. */
export const isTied = (known, { change, occurredAt }) =>
  change.whole !== undefined && known !== undefined && known.occurred_at === occurredAt;

/** Folds `event` into what is known of its record; `tied` are the earlier objects of its time. */
export function fold(known, event, seq, key, tied) {
  const { change } = event;
  if (change.whole) return whole(known, event, seq, key, tied);
  const folded = change.payload ? created(known, change.payload) : changed(known, change);
  const { fields, drifted, changes } = folded;
  const partial = known?.partial ?? true;
  return { record: { version: seq, fields, partial, drifted, version_key: key }, changes, late: false };
}

/** A creation is a record's oldest event: late, it tells what isn't known yet, and no more. */
function created(known, payload) {
  const fields = { ...known?.fields };
  const changes = {};
  for (const [name, value] of Object.entries(payload)) {
    if (Object.hasOwn(fields, name)) continue;
    if (known) changes[name] = { old: null, new: value };
    fields[name] = value;
  }
  return { fields, changes, drifted: known?.drifted ?? [] };
}

const NOTHING = {};

function changed(known, { previous, next, rest = NOTHING }) {
  const fields = { ...known?.fields };
  const drifted = new Set(known?.drifted);
  const changes = {};
  const after = (name) => (Object.hasOwn(next, name) ? next[name] : fieldOf(rest, name));
  for (const [name, was] of Object.entries(previous)) {
    if (!Object.hasOwn(fields, name)) continue;
    if (same(fields[name], was)) drifted.delete(name);
    // What is already as the event says contradicts nothing.
    else if (!same(fields[name], after(name))) drifted.add(name);
  }
  for (const [name, value] of Object.entries(next)) {
    changes[name] = { old: fieldOf(previous, name), new: value };
    fields[name] = value;
  }
  for (const [name, was] of Object.entries(previous)) {
    if (Object.hasOwn(next, name) || Object.hasOwn(rest, name)) continue;
    changes[name] = { old: was, new: null };
    fields[name] = null;
  }
  for (const [name, value] of Object.entries(rest)) {
    const place = Object.hasOwn(previous, name) ? previous : fields;
    if (Object.hasOwn(place, name) && !same(place[name], value)) changes[name] = { old: place[name], new: value };
    fields[name] = value;
    drifted.delete(name);
  }
  return { fields, changes, drifted: [...drifted] };
}

function whole(known, event, seq, key, tied) {
  const { whole: own, changes: stated } = event.change;
  const time = event.occurredAt;
  const isTie = isTied(known, event);
  const newest = isTie ? newestOf(known, event, key, tied) : { key, fields: own };
  const isNewer = isTie ? newest.key !== known.version_key : !known || time > known.occurred_at;
  const tiedSeqs = isTie ? [...known.tied, seq].slice(-TIED_MAX) : [seq];
  if (!isNewer) {
    return { record: isTie ? { ...known, tied: tiedSeqs } : known, changes: stated ?? {}, late: true };
  }
  const { fields } = newest;
  const told = newest.key === key ? stated : undefined;
  const record = {
    version: seq,
    fields,
    partial: false,
    drifted: [],
    occurred_at: time,
    version_key: newest.key,
    tied: tiedSeqs,
  };
  return { record, changes: told ?? (known ? difference(known.fields, fields) : {}), late: false };
}

/** The newest object of the time that both `known` and `event` are of. */
function newestOf(known, event, key, tied) {
  const { whole: fields, changes } = event.change;
  // What came again, came when it first did.
  const all = tied.filter(({ key }, at) => tied.findIndex((one) => one.key === key) === at);
  const has = (wanted) => all.some((one) => one.key === wanted);
  if (!has(known.version_key)) all.unshift({ key: known.version_key, isCreation: false, fields: known.fields });
  if (!has(key)) all.push({ key, isCreation: event.kind === "record.created", fields, changes });
  return inOrder(all).at(-1);
}

function difference(before, after) {
  const changes = {};
  for (const [name, value] of Object.entries(after)) {
    const old = fieldOf(before, name);
    if (!Object.hasOwn(before, name) || !same(old, value)) changes[name] = { old, new: value };
  }
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) changes[name] = { old: before[name], new: null };
  }
  return changes;
}

/** True if bytes seen before can be a second, real event: the record is again what they say it was. */
export function canRepeat(fields, { previous, next }) {
  if (!previous) return false;
  const mentioned = Object.keys(previous);
  // What it sets without a word on what it was, changes if it is nothing now.
  const set = Object.keys(next).filter((name) => !Object.hasOwn(previous, name) && fieldOf(fields, name) === null);
  return (
    mentioned.every((name) => same(fieldOf(fields, name), previous[name])) &&
    [...mentioned, ...set].some((name) => !same(fieldOf(previous, name), fieldOf(next, name)))
  );
}
