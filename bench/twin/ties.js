// Whole objects of one time about one record, in the order of what they say: what one says was before
// is what the other says is; a record is created before it changes; arrival.

import { isObject } from "./dialects.js";
import { same } from "./same.js";

// How well one object follows another.
const NOT = 0;
const CHANGES = 1; // all that changed was as the other has it
const WHOLE = 2; // so was all that did not

const fieldOf = (fields, name) => (Object.hasOwn(fields, name) ? fields[name] : null);

/** True if two values mean the same, or one is the id of the other: MeterBase writes either. */
function isOne(a, b) {
  const isIdOf = (id, whole) => isObject(whole) && (whole.id ?? null) !== null && same(whole.id, id);
  return same(a, b) || isIdOf(a, b) || isIdOf(b, a);
}

/** Names and old values of what really changed. */
const before = (changes = {}) =>
  Object.entries(changes)
    .filter(([, change]) => isObject(change) && !isOne(change.old ?? null, change.new ?? null))
    .map(([name, { old = null }]) => [name, old]);

function fit(one, other) {
  // A name that is no field of either describes something else.
  const isField = ([name]) => Object.hasOwn(one.fields, name) || Object.hasOwn(other.fields, name);
  const stated = one.before.filter(isField);
  const agrees = ([name, was]) => isOne(was, fieldOf(other.fields, name));
  if (stated.length === 0 || !stated.every(agrees)) return NOT;
  const changed = new Set(one.before.map(([name]) => name));
  const names = Object.keys({ ...one.fields, ...other.fields }).filter((name) => !changed.has(name));
  const isUnchanged = names.every((name) => isOne(fieldOf(one.fields, name), fieldOf(other.fields, name)));
  return isUnchanged ? WHOLE : CHANGES;
}

/** How well each of `said` follows each other one, where it follows none better. */
function fitsOf(said) {
  return said.map((one, at) => {
    const fits = said.map((other, where) => (where === at ? NOT : fit(one, other)));
    const best = Math.max(...fits);
    return fits.map((found) => (found === best ? found : NOT));
  });
}

/**
 * `events` of one time, in the order of arrival, in their own order. The next one is always one that
 * follows none of those that are left, if there is one; of several, a creation, then what follows the
 * one before, then what arrived first.
 */
export function inOrder(events) {
  const fits = fitsOf(events.map(({ fields, changes }) => ({ fields, before: before(changes) })));
  const left = new Set(events.keys());
  const ordered = [];
  while (left.size > 0) {
    const last = ordered.at(-1);
    const rank = (at) => [
      Math.max(...[...left].map((other) => fits[at][other])),
      events[at].isCreation ? 0 : 1,
      last === undefined ? 0 : -fits[at][last],
    ];
    let [next] = left;
    for (const at of left) if (isLess(rank(at), rank(next))) next = at;
    left.delete(next);
    ordered.push(next);
  }
  return ordered.map((at) => events[at]);
}

function isLess(a, b) {
  const at = a.findIndex((value, at) => value !== b[at]);
  return at >= 0 && a[at] < b[at];
}
