// Waiting for what happens behind an answer. Every wait has an end, and says what it waited for.

import { setTimeout as sleep } from "node:timers/promises";

const PAUSE_MS = 25;

/**
 * Calls `look` until it gives something true, and gives that. `what` completes "waited for …"; it may
 * be a function, to tell how things were last. Errors of `look` count as "not yet": a ledger that D1
 * doesn't know yet is a 404 for a moment.
 */
export async function until(what, look, { ms = 20_000, pause_ms = PAUSE_MS } = {}) {
  const end = Date.now() + ms;
  let last;
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      const goal = typeof what === "function" ? what() : what;
      throw new Error(`waited ${ms} ms for ${goal}${last ? `; the last look failed: ${last.message}` : ""}`);
    }
    await sleep(pause_ms);
  }
}
