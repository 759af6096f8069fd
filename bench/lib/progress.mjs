// What is being done, and how long the rest will take: one line that changes on a terminal, a line
// for each step elsewhere.

const minutes = (seconds) => (seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`);

export class Progress {
  #steps;
  #at = -1;
  #since = Date.now();
  /** Seconds that steps of a kind took, the last ones most. */
  #took = new Map();

  /** `steps`: in order, each with its `kind` and the `seconds` that one of the kind may take. */
  constructor(steps) {
    this.#steps = steps;
  }

  /** The next step begins. */
  next(title) {
    const now = Date.now();
    if (this.#at >= 0) {
      const { kind } = this.#steps[this.#at];
      const took = (now - this.#since) / 1000;
      this.#took.set(kind, ((this.#took.get(kind) ?? took) * 3 + took) / 4);
    }
    this.#since = now;
    this.#at += 1;
    const left = this.#steps
      .slice(this.#at)
      .reduce((sum, { kind, seconds }) => sum + (this.#took.get(kind) ?? seconds), 0);
    show(`${title} · ${minutes(left)} left`);
  }
}

/** Shows `text` in place of what was shown last. */
export function show(text) {
  if (!process.stdout.isTTY) console.log(text);
  else process.stdout.write(`\r\u001b[K${text.slice(0, process.stdout.columns - 1)}`);
}

/** Takes the line away. */
export function clear() {
  if (process.stdout.isTTY) process.stdout.write("\r\u001b[K");
}
