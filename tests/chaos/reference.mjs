// What D1 must hold: the facts of a ledger, folded one by one in its order, the slow and obvious way.
// It reads no body and none of the product's code: it goes by what the provider meant.

import { inOrder } from "./ties.mjs";
import { Unit } from "./units.mjs";

/** A time of the provider's as D1 has it, with nine digits of a second. */
function stamp(at) {
  const [seconds, fraction = ""] = at.replace("Z", "").split(".");
  return `${seconds}.${fraction.padEnd(9, "0")}Z`;
}

/**
 * Folds `entries`, each `{ seq, received_at, fact }`. Gives the records by "model/id", the first and
 * last end of a synchronisation, and how often each unit was occupied and vacated.
 */
export function fold(entries) {
  const records = new Map();
  const units = new Map();
  const tied = new Map();
  const synced = [];
  for (const { seq, received_at, fact } of entries) {
    const { model, id, change, at } = fact.meaning;
    const time = stamp(at ?? received_at);
    if (fact.meaning.synced) synced.push(time);
    if (!change) continue;
    const name = `${model}/${id}`;
    const known = records.get(name);
    const among = change.whole ? inOrder(together(tied, `${name} ${time}`, change)) : [];
    const next = change.whole ? newest(known, time, among.at(-1)) : changed(known, change);
    if (model === "units") {
      if (!units.has(name)) units.set(name, new Unit());
      look(units.get(name), { known, next, change, time, among });
    }
    if (next) records.set(name, { ...next, version: seq, time });
  }
  synced.sort();
  const notices = new Map([...units].map(([name, unit]) => [name, unit.notices]));
  return { records, synced: synced.length ? { first: synced[0], last: synced.at(-1) } : undefined, notices };
}

/** All changes of one record and time so far, with `change` among them. */
function together(tied, name, change) {
  if (!tied.has(name)) tied.set(name, []);
  tied.get(name).push(change);
  return [...tied.get(name)];
}

/** The record as the newest object of `time` has it; undefined if that is no news. */
function newest(known, time, from) {
  // Whole objects say when they were true: an older one changes nothing.
  if (known && (known.time > time || known.from === from)) return undefined;
  return { fields: { ...from.whole }, partial: false, drifted: [], from };
}

/** What an event says of a unit. */
function look(unit, { known, next, change, time, among }) {
  if (change.whole) unit.addTimed(time, change, among);
  // A new record's fields are its oldest: late, they say nothing of it.
  else if (!change.sparse || known?.fields.is_vacant === undefined) {
    unit.addTimeless(change.previous?.is_vacant, next.fields.is_vacant);
  }
}

const nothing = { fields: {}, partial: true, drifted: [] };

function changed({ fields, partial, drifted } = nothing, { sparse, previous, next }) {
  // What is new tells what isn't known yet.
  if (sparse) return { fields: { ...sparse, ...fields }, partial, drifted };
  const after = (name) => next[name] ?? "null";
  const isContradicted = (name) => name in fields && ![previous[name], after(name)].includes(fields[name]);
  const names = Object.keys(previous);
  const agrees = (name) => name in previous && fields[name] === previous[name];
  return {
    fields: { ...fields, ...Object.fromEntries(names.map((name) => [name, after(name)])), ...next },
    partial,
    drifted: [...drifted.filter((name) => !agrees(name)), ...names.filter(isContradicted)],
  };
}
