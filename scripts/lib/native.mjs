// The native tests that are quick.

import { readdirSync } from "node:fs";

import { inRoot } from "./paths.mjs";

/**
 * Tests of random operations, and of a thousand worlds: each of these takes longer than the 3 s in
 * which all the rest of one topic is over. `cargo test` says how long each took.
 */
const LONG = ["dedupe", "fuzz", "ledger", "redrive", "replay", "reports", "simulation", "ties"];

/** Arguments of `cargo test` for all but the long ones. */
export function quickTests() {
  const names = readdirSync(inRoot("tests"), { withFileTypes: true })
    .filter((entry) => (entry.isDirectory() ? hasMain(entry.name) : entry.name.endsWith(".rs")))
    .map(({ name }) => name.replace(/\.rs$/, ""));
  const gone = LONG.filter((name) => !names.includes(name));
  if (gone.length) throw new Error(`scripts/lib/native.mjs has a test that is gone: ${gone.join(", ")}`);
  return ["--lib", ...names.filter((name) => !LONG.includes(name)).flatMap((name) => ["--test", name])];
}

const hasMain = (name) => readdirSync(inRoot("tests", name)).includes("main.rs");
