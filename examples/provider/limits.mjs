// How often the API may be asked. These minutes are those of the caller's clock, however fast time runs here.

const MINUTE_MS = 60_000;

/** From this share of the limit on, each answer is late by so much. */
const SLOW = 0.8;
const SLOW_MS = 2_000;

export class Limit {
  #minute;
  #used = 0;

  constructor(a_minute) {
    this.a_minute = a_minute;
  }

  /** Counts a request at a time of the caller's clock. */
  take(time) {
    const minute = Math.floor(time / MINUTE_MS);
    if (minute !== this.#minute) this.#used = 0;
    this.#minute = minute;
    this.#used += 1;
    const headers = {
      "x-ratelimit-limit": String(this.a_minute),
      "x-ratelimit-remaining": String(Math.max(this.a_minute - this.#used, 0)),
    };
    const isUsedUp = this.#used > this.a_minute;
    return { headers, isUsedUp, delay_ms: this.#used >= this.a_minute * SLOW && !isUsedUp ? SLOW_MS : 0 };
  }
}
