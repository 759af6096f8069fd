// Workers that stop when the tests of the file that asked for them have ended.

import { after } from "node:test";

import { serve } from "./leasewire.mjs";

const running = [];
after(() => Promise.all(running.map((worker) => worker.stop())));

/** Starts the Worker as `serve` does. */
export async function serving(options) {
  const worker = await serve(options);
  running.push(worker);
  return worker;
}
