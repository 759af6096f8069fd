// Cloudflare's command, made quiet: it must neither report, nor ask, nor wait for the network.

import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { run, step } from "./command.mjs";
import { content, fingerprint } from "./fingerprint.mjs";
import { modernNode, modernPath } from "./node.mjs";
import { inRoot, installed, root } from "./paths.mjs";

const program = installed("wrangler", "bin", "wrangler.js");

const DEFAULTS = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
  // The banner is what looks for updates.
  WRANGLER_HIDE_BANNER: "true",
  // `request.cf` has made-up values locally; by default they're fetched.
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  // Traces of every request, kept in a local database, take a third of the speed.
  X_LOCAL_OBSERVABILITY: "false",
};

const environment = () => ({ ...DEFAULTS, ...process.env, PATH: modernPath() });

/** Brings the local D1 database up to date. wrangler takes seconds to find out that it is. */
export async function migrate(persistTo) {
  const state = persistTo ? resolve(root, persistTo) : inRoot(".wrangler", "state");
  const stamp = join(state, "leasewire-migrations");
  const wanted = fingerprint([inRoot("migrations")]);
  if (!existsSync(inRoot("migrations")) || content(stamp) === wanted) return;
  await step("Applying the database migrations", async () => {
    const args = ["d1", "migrations", "apply", "leasewire", "--local", "--persist-to", state];
    await run(modernNode(), [program, ...args], { quiet: true, env: { ...environment(), CI: "true" } });
    writeFileSync(stamp, wanted);
  });
}

/** Serves until it's stopped; gives the exit code. */
export function dev(args) {
  return new Promise((done, reject) => {
    const child = spawn(modernNode(), [program, "dev", ...args], {
      cwd: root,
      env: environment(),
      stdio: "inherit",
    });
    // Ctrl-C reaches the child by itself. Staying until it has ended gives it the time to clean up.
    const stopped = (signal) => child.kill(signal);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stopped);
    child.on("error", reject);
    child.on("close", (code) => done(code ?? 0));
  });
}
