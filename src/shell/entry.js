// The module that Cloudflare loads. It hands every event to the Rust code, and outlives its panics.
//
// A panic, or any other trap, ends the wasm instance: its memory can't be trusted any more, and of
// the promises it gave out most will never settle. So all calls in flight fail at once, for what
// called them to try again, and the next event starts a new instance. Nothing is lost by it, since
// what was answered with success is in storage.

import { DurableObject } from "cloudflare:workers";
import * as wasm from "leasewire";

// Counts instances, so that a ledger knows whether its Rust half belongs to the present one.
let instance = 1;
let dead = false;

// For each call in flight, what makes it fail, and when it is lost, in milliseconds.
const inFlight = new Map();

// A request may wait 30 s for its body and some seconds for each of its calls. One that is older has a
// sender that hung up in mid-body: for such a one nothing settles any more.
const REQUEST_MS = 120_000;
// How often lost ones are looked for.
const LOOK_MS = 5_000;
let lookedAt = 0;

/** Forgets what no promise will ever come back to, here and in the wasm. */
function forgetLost() {
  const now = Date.now();
  // Also when the clock was set back.
  if (Math.abs(now - lookedAt) < LOOK_MS) return;
  lookedAt = now;
  for (const [fail, lostAt] of inFlight) if (now > lostAt) inFlight.delete(fail);
  wasm.forgetLost(now);
}

function die(cause) {
  if (dead) return;
  dead = true;
  for (const fail of inFlight.keys()) fail(new Error("the wasm instance has ended", { cause }));
  inFlight.clear();
}

// The crate `worker` sets this in its panic hook: the first news of a panic.
Object.defineProperty(wasm.__worker_init_state(), "criticalError", {
  set: (critical) => critical && die("a panic"),
});

// A trap without a panic, such as a stack overflow, in code that a promise has called.
addEventListener("unhandledrejection", ({ reason }) => {
  if (reason instanceof WebAssembly.RuntimeError || reason instanceof RangeError) die(reason);
});

/** Makes one call into wasm, which ends it with `done` or `failed`; by `ms` it is over, or lost. */
function call(work, ms = Infinity) {
  return new Promise((resolve, reject) => {
    if (dead) {
      wasm.__wbg_reset_state();
      instance += 1;
      dead = false;
    }
    const ends = (settle) => (value) => {
      inFlight.delete(reject);
      settle(value);
    };
    inFlight.set(reject, Date.now() + ms);
    try {
      forgetLost();
      work(ends(resolve), ends(reject));
    } catch (trap) {
      // The exports give their errors to `failed`: one that throws has trapped.
      die(trap);
    }
  });
}

export default {
  async fetch(request, env, ctx) {
    try {
      const { method, url } = request;
      return await call((done) => wasm.fetch(request, method, url, env, ctx, done), REQUEST_MS);
    } catch (error) {
      console.error(JSON.stringify({ level: "error", message: "request failed", error: String(error) }));
      const problem = {
        type: "about:blank",
        title: "Service Unavailable",
        status: 503,
        detail: "The request could not be finished. Try again.",
      };
      const headers = {
        "content-type": "application/problem+json",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "retry-after": "1",
      };
      return new Response(JSON.stringify(problem), { status: 503, headers });
    }
  },

  // Each message is acknowledged by itself; if the batch fails, the rest is delivered again.
  async queue({ messages, queue }, env, ctx) {
    await call((done) => wasm.queue(messages, queue, env, ctx, done));
  },

  // The next run goes on, so this one has no need to fail.
  async scheduled(_event, env) {
    try {
      await call((done) => wasm.sweep(env, done));
    } catch (error) {
      console.error(JSON.stringify({ level: "error", message: "sweep", outcome: "failed", reason: String(error) }));
    }
  },
};

/** The half of a Durable Object that is in Rust: `make` makes it. */
class Half {
  #make;
  #made;
  #instance;

  constructor(make) {
    this.#make = make;
  }

  /** It, made anew if its instance has ended. */
  get current() {
    if (this.#instance !== instance) {
      this.#made = this.#make();
      this.#instance = instance;
    }
    return this.#made;
  }
}

export class Ledger extends DurableObject {
  #half;

  constructor(state, env) {
    super(state, env);
    this.#half = new Half(() => new wasm.Ledger(state, env));
  }

  /**
   * Answers calls, bytes each, in order, each with text or nothing if there is no such thing. Those
   * from the first that fails on have no answer. Who states a format, a number, gets that of the answers
   * in front of them.
   */
  call(calls, format) {
    return call((done, failed) => this.#half.current.call(calls, format, done, failed));
  }

  alarm() {
    return call((done) => done(this.#half.current.alarm()));
  }
}

export class Connector extends DurableObject {
  #half;

  constructor(state, env) {
    super(state, env);
    this.#half = new Half(() => new wasm.Connector(state, env));
  }

  /** Answers calls, texts each, in order, each with text or nothing if there is no such thing. */
  call(calls) {
    return call((done, failed) => this.#half.current.call(calls, done, failed));
  }

  alarm() {
    return call((done) => done(this.#half.current.alarm()));
  }
}
