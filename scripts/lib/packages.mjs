// The npm packages, exactly as the lockfile has them.

import { writeFileSync } from "node:fs";

import { run, step } from "./command.mjs";
import { content, fingerprint } from "./fingerprint.mjs";
import { inRoot, installed } from "./paths.mjs";

export async function installPackages() {
  const stamp = installed(".leasewire");
  const wanted = fingerprint([inRoot("package.json"), inRoot("package-lock.json")], process.platform, process.arch);
  if (content(stamp) === wanted) return;
  await step("Installing npm packages", async () => {
    // Not `npm ci`: it refuses a lockfile that lacks packages for other platforms than the one it
    // was made on. This takes the same versions, and doesn't write to the lockfile. The tools are
    // devDependencies, which a production setting would leave out.
    await npm("install", "--no-save", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error");
    writeFileSync(stamp, wanted);
  });
}

/** With the npm that started this, if one did: the `node` in PATH may be one that it's replacing. */
function npm(...args) {
  const { npm_execpath: program, npm_node_execpath: node } = process.env;
  if (node && program?.endsWith("npm-cli.js")) return run(node, [program, ...args], { quiet: true });
  return run("npm", args, { quiet: true });
}
