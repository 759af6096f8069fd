// What a soak calls a failure: `node --test bench/soak.test.mjs`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { judge } from "./lib/soak-report.mjs";

const GOOD = {
  quiet_p50_ms: () => 5,
  quiet_p99_ms: () => 20,
  floor_p50_ms: () => 1,
  cpu_us_each: () => 4_000,
  wasm_bytes: () => 1_500_000,
  rss_bytes: () => 300_000_000,
};

/** The titles of the goals that are missed by 60 parts in which each metric goes as `metrics` say. */
function missed(metrics, failures = []) {
  const all = { ...GOOD, ...metrics };
  const part = (at) => Object.fromEntries(Object.entries(all).map(([metric, of]) => [metric, of(at / 60)]));
  const goals = judge({ parts: Array.from({ length: 60 }, (_item, at) => part(at)), failures });
  return goals.filter(({ met }) => !met).map(({ title }) => title.split(/,| in /)[0]);
}

test("what stays as it is meets all goals", () => assert.deepEqual(missed({}), []));

test("a warm-up is not held against the rest", () => {
  const slow = (x) => (x < 0.1 ? 50 : 5);
  assert.deepEqual(
    missed({ quiet_p50_ms: slow, quiet_p99_ms: slow, rss_bytes: (x) => 1e8 * (1 + Math.min(x, 0.6)) }),
    [],
  );
});

test("slower by a quarter", () => {
  assert.deepEqual(missed({ quiet_p50_ms: (x) => 5 + 1.6 * x }), ["p50"]);
  assert.deepEqual(missed({ quiet_p99_ms: (x) => 20 + 6.4 * x }), ["p99"]);
  assert.deepEqual(missed({ cpu_us_each: (x) => 4_000 + 1_280 * x }), ["CPU under load"]);
  assert.deepEqual(missed({ quiet_p50_ms: (x) => 5 + 0.8 * x }), []);
});

test("a machine that becomes slower is not the Worker's fault, and one that becomes faster hides nothing", () => {
  const slower = (x) => 1 + x;
  const times = (value, of) => (x) => value * of(x);
  const all = (of) => ({ quiet_p50_ms: times(5, of), quiet_p99_ms: times(20, of), cpu_us_each: times(4_000, of) });
  assert.deepEqual(missed({ ...all(slower), floor_p50_ms: slower }), []);
  assert.deepEqual(missed({ floor_p50_ms: (x) => 1 / slower(x) }), ["p50", "p99", "CPU under load"]);
});

test("memory that goes on growing, also where it jumps about", () => {
  assert.deepEqual(missed({ wasm_bytes: (x) => 1.5e6 + 65_536 * Math.floor(x * 18) }), ["wasm memory"]);
  assert.deepEqual(missed({ wasm_bytes: (x) => 1.5e6 + (x > 0.8 ? 4 * 65_536 : 0) }), []);
  const jumps = (x) => 1e7 * Math.sin(x * 500);
  assert.deepEqual(missed({ rss_bytes: (x) => 3e8 * (1 + x) + jumps(x) }), ["resident size of workerd"]);
  assert.deepEqual(missed({ rss_bytes: (x) => 3e8 + jumps(x) }), []);
});

test("a request that fails", () => assert.deepEqual(missed({}, ["the connection was closed"]), ["failures"]));
