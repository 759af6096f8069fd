// Numbers that depend on a seed alone.

const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz";

/** A stream of its own for each `name`, so that one who draws more doesn't disturb the others. */
export class Random {
  #state;

  constructor(seed, name = "") {
    this.#state = Number(seed) >>> 0;
    for (const character of name) this.#state = (Math.imul(this.#state, 31) + character.codePointAt(0)) >>> 0;
    this.#next();
  }

  // mulberry32
  #next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  }

  /** From 0 to `end`, without it. */
  below(end) {
    return Math.floor(this.#next() * end);
  }

  between(low, high) {
    return low + this.below(high - low + 1);
  }

  /** True with this probability, from 0 to 1. */
  chance(probability) {
    return this.#next() < probability;
  }

  pick(items) {
    return items[this.below(items.length)];
  }

  /** A pause between events that come independently of each other, `mean_ms` on average. */
  pause(mean_ms) {
    return -Math.log(1 - this.#next()) * mean_ms;
  }

  /** An id such as `lease_4k2j9x0c7a`. */
  id(prefix) {
    return `${prefix}_${Array.from({ length: 10 }, () => LETTERS[this.below(LETTERS.length)]).join("")}`;
  }
}
