// The tests of the built Worker.

import { readdirSync } from "node:fs";

import { run, Stop } from "./command.mjs";
import { modernNode, modernPath } from "./node.mjs";
import { inRoot } from "./paths.mjs";

/**
 * What runs by itself: it measures times, costs or load, kills workerd, or looks for the process that
 * is its own. All others mostly wait, and two of them at a time wait half as long.
 */
const ALONE = [
  "bench/soak",
  "bench/twin",
  "tests/e2e/chaos",
  "tests/e2e/cost",
  "tests/e2e/documents",
  "tests/e2e/groups",
  "tests/e2e/hung-up",
  "tests/e2e/kill",
  "tests/e2e/large",
  "tests/e2e/load",
  "tests/e2e/metrics",
  "tests/e2e/outage",
  "tests/e2e/queue-down",
  "tests/e2e/start",
];

/** What takes longest comes first, so that nothing waits for it in the end. */
const FIRST = ["tests/e2e/bisect", "tests/e2e/openapi", "tests/e2e/monitoring"];

const END = ".test.mjs";

/** The check `e2e`. */
export async function endToEnd() {
  const names = ["tests/e2e", "bench"].flatMap((folder) =>
    readdirSync(inRoot(folder))
      .sort()
      .filter((name) => name.endsWith(END))
      .map((name) => `${folder}/${name.slice(0, -END.length)}`),
  );
  const gone = [...ALONE, ...FIRST].filter((name) => !names.includes(name));
  if (gone.length) throw new Stop(`scripts/lib/end-to-end.mjs has a test that is gone: ${gone.join(", ")}`);
  const others = names.filter((name) => !ALONE.includes(name) && !FIRST.includes(name));
  await tests([...FIRST, ...others], 2);
  await tests(ALONE, 1);
}

/** Runs the test files `names`, so many at a time. */
async function tests(names, concurrency) {
  const files = names.map((name) => inRoot(name + END));
  const args = ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec", ...files];
  await run(modernNode(), args, { env: { PATH: modernPath() } });
}
