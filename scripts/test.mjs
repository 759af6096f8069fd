// `npm test`: every check there is, in order, up to the first that fails.
// `npm test -- --only fmt,native` runs some of them, and `npm test -- --quick` those for the inner loop.

import { parseArgs } from "node:util";

import { main, run, Stop, seconds } from "./lib/command.mjs";
import { endToEnd } from "./lib/end-to-end.mjs";
import { javascript } from "./lib/javascript.mjs";
import { advisories, licences } from "./lib/licences.mjs";
import { computingTests, otherTests, quickTests } from "./lib/native.mjs";
import { prepare } from "./lib/prepare.mjs";
import { maySkip, typos } from "./lib/tools.mjs";
import { buildWorker } from "./lib/worker.mjs";

const WASM = ["--lib", "--target", "wasm32-unknown-unknown"];

const cargo = (...args) => run("cargo", args);
const clippy = (...args) => cargo("clippy", "--quiet", "--locked", ...args, "--", "-D", "warnings");

const checks = {
  fmt: () => cargo("fmt", "--check"),
  js: () => javascript("check"),
  spelling: async () => run(await typos(), []),
  licences,
  advisories,
  clippy: () => clippy("--all-targets"),
  "clippy-wasm": () => clippy(...WASM),
  doc: documentation,
  native: () => cargo("test", "--quiet", "--locked"),
  build: buildWorker,
  e2e: endToEnd,
};

/** Where both are asked for, what only computes runs beside the tests of the built Worker, which go first. */
const both = {
  ...checks,
  async native() {
    await cargo("test", "--quiet", "--locked", ...otherTests());
    await cargo("test", "--quiet", "--locked", "--doc");
    await cargo("test", "--quiet", "--locked", "--no-run", ...computingTests());
  },
  e2e: () => endToEnd(compute),
};

async function compute() {
  const since = Date.now();
  const args = ["-n", "19", "cargo", "test", "--quiet", "--locked", ...computingTests()];
  const said = await run("nice", args, { quiet: true });
  console.log(`${said}\n== what computes, beside it: passed in ${seconds(since)}`);
}

/** With `--quick`: what an edit breaks most often, in a minute. */
const QUICK = ["fmt", "js", "spelling", "clippy", "clippy-wasm", "doc", "native"];
const quick = { ...checks, native: () => cargo("test", "--quiet", "--locked", ...quickTests()) };

/** Links and examples, first without what is for wasm32 alone, then with it. */
async function documentation() {
  const doc = ["doc", "--quiet", "--locked", "--no-deps", "--document-private-items"];
  for (const target of [[], WASM]) {
    await run("cargo", [...doc, ...target], { env: { RUSTDOCFLAGS: "-D warnings" } });
  }
}

/** Which checks to run. */
function chosen({ only, quick }) {
  if (only && quick) throw new Stop("--only and --quick both say what to run: give one of them.");
  if (quick) return QUICK;
  const names = only?.split(",") ?? Object.keys(checks);
  const unknown = names.filter((name) => !(name in checks));
  if (unknown.length) {
    throw new Stop(`There is no check "${unknown[0]}". There are ${Object.keys(checks).join(", ")}.`);
  }
  return names;
}

main(async () => {
  const { values } = parseArgs({ options: { only: { type: "string" }, quick: { type: "boolean" } } });
  const names = chosen(values);
  const isBoth = names.includes("native") && names.includes("e2e");
  const kind = values.quick ? quick : isBoth ? both : checks;
  const skipped = [];
  await prepare();
  for (const name of names) {
    console.log(`\n== ${name}`);
    const since = Date.now();
    try {
      await kind[name]();
      console.log(`== ${name}: passed in ${seconds(since)}`);
    } catch (error) {
      if (!maySkip(error)) throw error;
      skipped.push(name);
      console.log(`== ${name}: SKIPPED: ${error.message}`);
    }
  }
  if (skipped.length) console.log(`\nNot everything was checked: ${skipped.join(", ")} had to be skipped, see above.`);
});
