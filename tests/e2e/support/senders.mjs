// Many senders at once.

import { agent } from "./http.mjs";

/**
 * Calls `work` with each number from 0 to `count` - 1, `senders` at a time over as many connections;
 * gives the results in order.
 */
export async function inParallel(senders, count, work) {
  const via = agent(senders);
  const results = Array(count);
  let next = 0;
  const sender = async () => {
    while (next < count) {
      const n = next;
      next += 1;
      results[n] = await work(n, via);
    }
  };
  try {
    await Promise.all(Array.from({ length: senders }, sender));
  } finally {
    via.destroy();
  }
  return results;
}
