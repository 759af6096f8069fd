// workerd under Miniflare with the settings of wrangler.toml, as the tests and the benchmarks start it.
// wrangler's own `createTestHarness` chooses where state is kept, tells no process that could be killed,
// and takes none of Miniflare's options, such as sockets past its router or an inspector.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

import { inRoot } from "./paths.mjs";
import { SECRETS } from "./sign.mjs";

// wrangler would tell which files it reads.
process.env.WRANGLER_LOG = "error";
// Both are one file of megabytes each, which `import` would first search for names to export: a second
// of every test's start.
const require = createRequire(import.meta.url);
const { convertV4MiniflareOptions, Miniflare, NoOpLog } = require("miniflare");
const { unstable_getMiniflareWorkerOptions: workerOptions, unstable_splitSqlQuery: statements } = require("wrangler");

/** What wrangler.toml says, as Miniflare's options of a Worker. */
export const settings = () =>
  workerOptions(inRoot("wrangler.toml"), undefined, { envFiles: [".dev.vars.example"] }).workerOptions;

/** The code of Leasewire as it was built into `folder`. */
export const built = (folder) => ({
  modulesRoot: folder,
  modules: [
    { type: "ESModule", path: resolve(folder, "index.js") },
    { type: "CompiledWasm", path: resolve(folder, "index_bg.wasm") },
  ],
});

/**
 * Starts a Worker called `leasewire`, and makes its tables in D1.
 * - `code`: its modules.
 * - `folder`: where state is kept.
 * - `bindings`: in place of, or beside, those of wrangler.toml; undefined removes one.
 * - `adjust`: changes Miniflare's options of the Worker.
 * - `workers`: further workers beside it.
 * - `inspectorPort`: where its isolate can be looked into; 0 for any.
 * - `onLog`: gets each line that is logged.
 */
export async function host({ code, folder, bindings, adjust, workers = [], inspectorPort, onLog = () => {} }) {
  const options = settings();
  const values = Object.entries({ ...options.bindings, ...SECRETS, ...bindings });
  const main = {
    ...options,
    ...code,
    name: "leasewire",
    bindings: Object.fromEntries(values.filter(([, value]) => value !== undefined)),
  };
  adjust?.(main);
  const log = new NoOpLog();
  const before = new Set(runtimes());
  const since = performance.now();
  const mf = new Miniflare({
    ...convertV4MiniflareOptions({ workers: [main, ...workers], log, port: 0, inspectorPort }),
    resourcePersistencePath: folder,
    handleStructuredLogs: onLog,
    log,
  });
  const url = (await mf.ready).href.replace(/\/$/, "");
  const ready_ms = performance.now() - since;
  const pid = runtimes().find((pid) => !before.has(pid));
  const db = await mf.getD1Database("DB", "leasewire");
  await migrate(db);
  return { mf, url, pid, db, ready_ms };
}

/** Children of this process that are workerd. */
const runtimes = () =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,comm="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, command]) => Number(parent) === process.pid && command?.includes("workerd"))
    .map(([pid]) => Number(pid));

async function migrate(db) {
  const { results } = await db.prepare("SELECT name FROM sqlite_master WHERE name = 'records'").all();
  if (results.length) return;
  for (const name of readdirSync(inRoot("migrations")).sort()) {
    const sql = readFileSync(inRoot("migrations", name), "utf8");
    await db.batch(statements(sql).map((statement) => db.prepare(statement)));
  }
}
