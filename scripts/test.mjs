// `npm test`: every check there is, in order, up to the first that fails.
// `npm test -- --only fmt,native` runs some of them.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { main, run, Stop, seconds } from "./lib/command.mjs";
import { modernNode, modernPath } from "./lib/node.mjs";
import { inRoot } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { buildWorker } from "./lib/worker.mjs";

const cargo = (...args) => run("cargo", args);
const clippy = (...args) => cargo("clippy", "--quiet", "--locked", ...args, "--", "-D", "warnings");

const checks = {
  fmt: () => cargo("fmt", "--check"),
  clippy: () => clippy("--all-targets"),
  "clippy-wasm": () => clippy("--lib", "--target", "wasm32-unknown-unknown"),
  native: () => cargo("test", "--quiet", "--locked"),
  build: buildWorker,
  e2e: endToEnd,
};

async function endToEnd() {
  const [files, more] = [inRoot("tests", "e2e"), inRoot("bench")].map((folder) =>
    readdirSync(folder)
      .sort()
      .filter((name) => name.endsWith(".test.mjs"))
      .map((name) => join(folder, name)),
  );
  // Without a file, Node.js would go and look for tests all over the checkout.
  if (!files.length) throw new Stop("There are no end-to-end tests in tests/e2e.");
  const args = ["--test", "--test-reporter=spec", ...files, ...more];
  await run(modernNode(), args, { env: { PATH: modernPath() } });
}

main(async () => {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const names = values.only?.split(",") ?? Object.keys(checks);
  const unknown = names.filter((name) => !(name in checks));
  if (unknown.length) {
    throw new Stop(`There is no check "${unknown[0]}". There are ${Object.keys(checks).join(", ")}.`);
  }
  await prepare();
  for (const name of names) {
    console.log(`\n== ${name}`);
    const since = Date.now();
    await checks[name]();
    console.log(`== ${name}: passed in ${seconds(since)}`);
  }
});
