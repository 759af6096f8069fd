// Promises, as tasks.rs waits for them.

import { settled } from "leasewire";

let promises = 0;

/** Tells the task that waits for `promise` how it settled; returns the promise's number. */
export function whenSettled(promise) {
  promises += 1;
  const number = promises >>> 0;
  promise.then(
    (value) => settled(number, true, value),
    (error) => settled(number, false, error),
  );
  return number;
}

/** Keeps the Worker up behind its answer, until what is returned is called. */
export function keepUp(ctx) {
  let done;
  ctx.waitUntil(new Promise((resolve) => (done = resolve)));
  return done;
}
