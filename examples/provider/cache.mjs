// What the provider knows of an integration: each record as the last sync that saw it found it. The API
// reads here, where it is told to as late as a replica would.

import { LISTS, MODELS } from "./models.mjs";
import { iso } from "./timeline.mjs";

const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/** A field as the provider has it, known or not. */
const fieldOf = (record, field) => record[field] ?? (LISTS.includes(field) ? [] : null);

export class Cache {
  #entries = Object.fromEntries(Object.keys(MODELS).map((model) => [model, new Map()]));

  /** Rises with each change. */
  revision = 0;

  /** What is read is as old as `options` say by then. */
  constructor(options) {
    this.options = options;
  }

  get lag_ms() {
    return this.options["read-lag"] * 1_000 * this.options.speed;
  }

  has(model, id) {
    return this.#entries[model].has(id);
  }

  /** Takes in a new record, with `fields` of it alone; gives its state. */
  add(model, record, fields, now) {
    const at = iso(now);
    const known = Object.fromEntries(
      MODELS[model].fields.map((field) => [field, fieldOf(fields.includes(field) ? record : {}, field)]),
    );
    const state = { id: record.id, created_at: at, updated_at: at, last_seen: at, ...known };
    this.revision += 1;
    this.#entries[model].set(record.id, [{ since: now, state }]);
    return state;
  }

  /**
   * Takes in what a record is by now. Gives what changed, `{previous, new}`, without what nobody is told of;
   * undefined where that is nothing. With `times`, that it was seen is a change too.
   */
  see(model, record, now, times = false) {
    const { fields, silent } = MODELS[model];
    const { state } = this.#entries[model].get(record.id).at(-1);
    const changed = fields.filter((field) => !same(state[field], fieldOf(record, field)));
    const told = changed.filter((field) => this.options["tell-parts"] || !silent.includes(field));
    const next = { ...state, last_seen: iso(now) };
    for (const field of changed) next[field] = fieldOf(record, field);
    const isTold = told.length > 0 || times;
    if (isTold || (changed.length && this.options["parts-touch"])) next.updated_at = iso(now);
    this.#put(model, record.id, next, now);
    if (!isTold) return undefined;
    const shown = [...told, "updated_at", ...(times ? ["last_seen"] : [])];
    const only = (of) => Object.fromEntries(shown.map((field) => [field, of[field]]));
    return { previous: only(state), new: only(next) };
  }

  /** A part of this record is another one. */
  touch(model, id, now) {
    const versions = this.#entries[model].get(id);
    if (versions) this.#put(model, id, { ...versions.at(-1).state, updated_at: iso(now) }, now);
  }

  #put(model, id, state, now) {
    this.revision += 1;
    const entries = this.#entries[model];
    const versions = entries.get(id);
    // All that readers are past is let go of.
    const current = versions.findLastIndex(({ since }) => since <= now - this.lag_ms);
    entries.set(id, [...versions.slice(Math.max(current, 0)), { since: now, state }]);
    if (!this.lag_ms) entries.set(id, entries.get(id).slice(-1));
  }

  /** The states that a reader finds at a time; without one, those that they are in. */
  read(model, now) {
    const found = [];
    for (const versions of this.#entries[model].values()) {
      const isSeen = ({ since }) => now === undefined || since <= now - this.lag_ms;
      const seen = versions.findLast(isSeen);
      if (seen) found.push(seen.state);
    }
    return found;
  }
}
