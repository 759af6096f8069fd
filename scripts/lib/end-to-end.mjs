// The tests of the built Worker.

import { readdirSync } from "node:fs";

import { run, Stop } from "./command.mjs";
import { modernNode, modernPath } from "./node.mjs";
import { inRoot } from "./paths.mjs";

/**
 * What measures how long or how much something takes, so that little else may run beside it: the times
 * of answers (groups, queue-down), how long a ledger is awake (cost), what is written within seconds
 * (metrics).
 */
const MEASURING = ["tests/e2e/cost", "tests/e2e/groups", "tests/e2e/metrics", "tests/e2e/queue-down"];

/** Runs beside those: it waits for nearly all of its two minutes. */
const WAITING = "tests/e2e/hung-up";

/** Of all others, what takes longest comes first, so that nothing waits for it in the end. */
const FIRST = ["kill", "bisect", "openapi", "outage", "monitoring", "sweep", "chaos"].map(
  (name) => `tests/e2e/${name}`,
);

const END = ".test.mjs";

/**
 * The check `e2e`. `beside` is run beside the tests that measure nothing: they mostly wait.
 */
export async function endToEnd(beside = async () => {}) {
  const names = ["tests/e2e", "bench"].flatMap((folder) =>
    readdirSync(inRoot(folder))
      .sort()
      .filter((name) => name.endsWith(END))
      .map((name) => `${folder}/${name.slice(0, -END.length)}`),
  );
  const gone = [...MEASURING, WAITING, ...FIRST].filter((name) => !names.includes(name));
  if (gone.length) throw new Stop(`scripts/lib/end-to-end.mjs has a test that is gone: ${gone.join(", ")}`);
  const last = [WAITING, ...MEASURING];
  const others = names.filter((name) => !last.includes(name) && !FIRST.includes(name));
  // Both to their end, so that neither goes on behind the other's failure.
  const ended = await Promise.allSettled([tests([...FIRST, ...others], 4), beside()]);
  const [reason, ...more] = ended.filter(({ status }) => status === "rejected").map(({ reason }) => reason);
  for (const { message } of more) console.error(message);
  if (reason) throw reason;
  await tests(last, 2);
}

/** Runs the test files `names`, so many at a time. */
async function tests(names, concurrency) {
  const files = names.map((name) => inRoot(name + END));
  const args = ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec", ...files];
  // Each file starts by loading the same megabytes of Miniflare and wrangler.
  const env = { PATH: modernPath(), NODE_COMPILE_CACHE: inRoot("target", "node-compile-cache") };
  await run(modernNode(), args, { env });
}
