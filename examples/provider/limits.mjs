// How often the API may be asked. These minutes are those of the caller's clock, however fast time runs here.

const MINUTE_MS = 60_000;

/** From this share of the limit on, each answer is late by so much. */
const SLOW = 0.8;
const SLOW_MS = 2_000;

export class Limit {
  #minute;
  #used = 0;

  /** By `options`: `limit` a minute, of which `others` use some up. */
  constructor(options) {
    this.options = options;
  }

  /** Counts a request at a time of the caller's clock. */
  take(time) {
    const minute = Math.floor(time / MINUTE_MS);
    if (minute !== this.#minute) this.#used = this.options.others;
    this.#minute = minute;
    this.#used += 1;
    const { limit } = this.options;
    const headers = {
      "x-ratelimit-limit": String(limit),
      "x-ratelimit-remaining": String(Math.max(limit - this.#used, 0)),
    };
    const isUsedUp = this.#used > limit;
    return { headers, isUsedUp, delay_ms: this.#used >= limit * SLOW && !isUsedUp ? SLOW_MS : 0 };
  }
}
