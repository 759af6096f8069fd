// The provider's time: what is to be done when. A task always finds the time it was planned for, so that
// what happens doesn't depend on how punctual the machine is, and a test can let hours pass at once.

/** The timeline looks at the clock at least so often. */
const LOOK_MS = 25;

export class Timeline {
  #tasks = [];

  /** `now` is in milliseconds since 1970, as everything here that isn't text. */
  constructor(now) {
    this.now = now;
    this.began = now;
  }

  /** Plans `task` for so many milliseconds from now. Tasks of the same time are done as they were planned. */
  after(ms, task) {
    const due = this.now + ms;
    let low = 0;
    for (let high = this.#tasks.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.#tasks[middle].due <= due) low = middle + 1;
      else high = middle;
    }
    this.#tasks.splice(low, 0, { due, task });
  }

  /** Does all that is due until `time`, which is then the time. */
  runUntil(time) {
    while (this.#tasks.length && this.#tasks[0].due <= time) {
      const { due, task } = this.#tasks.shift();
      this.now = Math.max(this.now, due);
      task();
    }
    this.now = Math.max(this.now, time);
  }
}

/**
 * Moves a timeline along with the clock, `speed` times as fast. Gives what brings it up to date, skips
 * milliseconds, and ends it.
 */
export function drive(timeline, speed) {
  const since = performance.now();
  let skipped_ms = 0;
  const update = () => timeline.runUntil(timeline.began + skipped_ms + (performance.now() - since) * speed);
  const skip = (ms) => {
    skipped_ms += ms;
    update();
  };
  const timer = setInterval(update, LOOK_MS);
  return { update, skip, stop: () => clearInterval(timer) };
}

/** A time as the API writes it. */
export const iso = (ms) => new Date(ms).toISOString();

/** Its day. */
export const day = (ms) => iso(ms).slice(0, 10);

export const DAY_MS = 86_400_000;
