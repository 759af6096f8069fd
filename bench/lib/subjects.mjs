// What is measured, each run the same way: on workerd under Miniflare, with the settings of
// wrangler.toml, behind a socket of its own. Miniflare's usual entry is a Worker that routes; it
// would be measured along, so it is left out.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

import { convertV4MiniflareOptions, Miniflare, NoOpLog } from "miniflare";

import { SECRETS } from "./bodies.mjs";
import { inBench, inRoot } from "./paths.mjs";

// wrangler would tell which files it reads.
process.env.WRANGLER_LOG = "error";
const { unstable_getMiniflareWorkerOptions: workerOptions, unstable_splitSqlQuery: statements } = await import(
  "wrangler"
);

/**
 * Where state is kept: in memory, where there is such a folder. A disk takes milliseconds to say
 * that something is durable, the same for every subject, and would be all that's measured.
 */
export const stateRoot = process.env.LEASEWIRE_BENCH_STATE ?? (existsSync("/dev/shm") ? "/dev/shm" : tmpdir());

const esModule = (path) => ({ type: "ESModule", path });

const TWIN_PARTS = ["dialects", "time", "problems", "within", "same", "ties", "fold", "ledger", "consumer"];

const twin = {
  modulesRoot: inBench(),
  modules: [esModule(inBench("twin.js")), ...TWIN_PARTS.map((name) => esModule(inBench("twin", `${name}.js`)))],
};

const floor = (kind) => ({ modules: [esModule(inBench("floor.js"))], bindings: { FLOOR: kind } });

/** Leasewire as it was built into `folder`. */
export const build = (title, folder) => ({
  title,
  modulesRoot: folder,
  modules: [esModule(resolve(folder, "index.js")), { type: "CompiledWasm", path: resolve(folder, "index_bg.wasm") }],
});

export const SUBJECTS = {
  ours: build("ours", inRoot("build")),
  twin: { title: "the twin", ...twin },
  insert: { title: "floor: insert", ...floor("insert") },
  answer: { title: "floor: answer", ...floor("answer") },
};

/** The shipped wasm, as it is and as Cloudflare counts it. */
export function wasmSize() {
  const wasm = readFileSync(inRoot("build", "index_bg.wasm"));
  return { bytes: wasm.length, gzipped_bytes: gzipSync(wasm, { level: 9 }).length };
}

// A Worker that looks into D1 from within workerd, so that waiting for a row costs no detour.
const PROBE = `export default {
  async fetch(request, env) {
    const { sql, params, ms, every_ms } = await request.json();
    const end = Date.now() + ms;
    for (;;) {
      const row = await env.DB.prepare(sql).bind(...params).first();
      if (row?.done || Date.now() > end) return Response.json(row);
      await new Promise((resolve) => setTimeout(resolve, every_ms));
    }
  },
};`;

/**
 * Waits until the query `sql` gives a row in D1 whose column `done` is true, and gives that row, or
 * the last one when `ms` have passed.
 */
export async function look({ probeUrl }, sql, params = [], { ms = 0, every_ms = 2 } = {}) {
  const answer = await fetch(probeUrl, { method: "POST", body: JSON.stringify({ sql, params, ms, every_ms }) });
  return answer.json();
}

const runtimes = () =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, command]) => Number(parent) === process.pid && command?.includes("workerd"))
    .map(([pid]) => Number(pid));

/**
 * Starts the subject called `name`.
 * - `folder`: where state is kept; by default a new one that goes with it.
 * - `bindings`: in place of, or beside, those of wrangler.toml;
 * - `consumes`: false leaves out the consumers, so that what is sent is lost and stays unconfirmed;
 * - `consumer`: settings of the consumers, in place of those of wrangler.toml;
 * - `adjust`: changes Miniflare's options of the Worker.
 */
export async function start(name, { folder, consumes = true, consumer, inspectorPort, bindings: more, adjust } = {}) {
  const { title, bindings, ...code } = SUBJECTS[name];
  const { workerOptions: settings } = workerOptions(inRoot("wrangler.toml"), undefined, {
    envFiles: [".dev.vars.example"],
  });
  const place = folder ?? newFolder();
  const consumers = Object.entries(consumes ? settings.queueConsumers : {});
  const main = {
    ...settings,
    ...code,
    name: "leasewire",
    bindings: { ...settings.bindings, ...SECRETS, ...bindings, ...more },
    queueConsumers: Object.fromEntries(consumers.map(([queue, one]) => [queue, { ...one, ...consumer }])),
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
  adjust?.(main);
  const probe = {
    name: "probe",
    modules: true,
    script: PROBE,
    compatibilityDate: settings.compatibilityDate,
    d1Databases: settings.d1Databases,
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
  const log = new NoOpLog();
  const options = convertV4MiniflareOptions({ workers: [main, probe], log, port: 0, inspectorPort });
  const before = new Set(runtimes());
  const since = performance.now();
  const mf = new Miniflare({
    ...options,
    resourcePersistencePath: place,
    log,
    // Lines are read and dropped: writing one is the subject's cost, what becomes of it is not.
    handleStructuredLogs: () => {},
  });
  await mf.ready;
  const ready_ms = performance.now() - since;
  const port = Number((await mf.unsafeGetDirectURL("leasewire")).port);
  const probeUrl = (await mf.unsafeGetDirectURL("probe")).href;
  const pid = runtimes().find((pid) => !before.has(pid));
  await migrate(await mf.getD1Database("DB", "leasewire"));
  const stop = async () => {
    await mf.dispose();
    if (folder === undefined) removeFolder(place);
  };
  return { name, title, mf, port, probeUrl, pid, ready_ms, stop };
}

const folders = new Set();
// Also when it's interrupted: memory isn't to be left full.
process.on("exit", () => folders.forEach(removeFolder));

/** A place for state, which goes with this process at the latest. */
export function newFolder() {
  const folder = mkdtempSync(join(stateRoot, "leasewire-bench-"));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  folders.delete(folder);
}

async function migrate(db) {
  const { results } = await db.prepare("SELECT name FROM sqlite_master WHERE name = 'records'").all();
  if (results.length) return;
  for (const name of readdirSync(inRoot("migrations")).sort()) {
    const sql = readFileSync(inRoot("migrations", name), "utf8");
    await db.batch(statements(sql).map((statement) => db.prepare(statement)));
  }
}
