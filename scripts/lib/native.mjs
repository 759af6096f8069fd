// The native tests that are quick.

import { existsSync, readdirSync } from "node:fs";

import { inRoot } from "./paths.mjs";

/**
 * Tests of random operations, and of a thousand worlds: each of these takes longer than the 3 s in
 * which all the rest of a room is over. `cargo test` says how long each took.
 */
const LONG_ROOMS = ["fuzz", "simulation"];
const LONG_TOPICS = [
  "ledger/dedupe",
  "ledger/model",
  "ledger/redrive",
  "ledger/replay",
  "ledger/reports",
  "record/ties",
];

/**
 * Rooms that only compute, for minutes: how much they test doesn't depend on how fast the machine is.
 */
const COMPUTING = ["ledger", "simulation"];

/** Arguments of `cargo test` for those. */
export const computingTests = () => COMPUTING.flatMap((room) => ["--test", room]);

/** Names of what `cargo test --test` can be asked for. */
const allRooms = () =>
  readdirSync(inRoot("tests"))
    .filter((name) => name.endsWith(".rs") || exists(name, "main.rs"))
    .map((name) => name.replace(/\.rs$/, ""));

/** Arguments of `cargo test` for all others, but for the examples in the documentation. */
export const otherTests = () => [
  "--lib",
  ...allRooms()
    .filter((room) => !COMPUTING.includes(room))
    .flatMap((room) => ["--test", room]),
];

/** Arguments of `cargo test` for all but the long ones. */
export function quickTests() {
  const rooms = allRooms();
  const gone = [
    ...LONG_ROOMS.filter((room) => !rooms.includes(room)),
    ...LONG_TOPICS.filter((topic) => !exists(`${topic}.rs`) && !exists(topic, "mod.rs")),
  ];
  if (gone.length) throw new Error(`scripts/lib/native.mjs has a test that is gone: ${gone.join(", ")}`);
  const quick = rooms.filter((room) => !LONG_ROOMS.includes(room)).flatMap((room) => ["--test", room]);
  const skipped = LONG_TOPICS.flatMap((topic) => ["--skip", `${topic.split("/")[1]}::`]);
  return ["--lib", ...quick, "--", ...skipped];
}

const exists = (...path) => existsSync(inRoot("tests", ...path));
