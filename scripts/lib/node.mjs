// Which Node.js runs what. These scripts run on 20, wrangler and workerd's tools want 22.12.

import { existsSync } from "node:fs";

import { Stop } from "./command.mjs";
import { installed } from "./paths.mjs";

const [major, minor] = process.versions.node.split(".").map(Number);

export function checkNode() {
  if (major < 20) {
    throw new Stop(`Node.js 20 or newer is needed, this is ${process.versions.node}.`);
  }
}

/** The Node.js for wrangler and the end-to-end tests: the pinned one, so that all use the same. */
export function modernNode() {
  const pinned = installed("node", "bin", "node");
  if (existsSync(pinned)) return pinned;
  if (major > 22 || (major === 22 && minor >= 12)) return process.execPath;
  throw new Stop(
    `wrangler needs Node.js 22.12, this is ${process.versions.node}, and the npm package "node",\n` +
      "which brings a newer one, has not been set up: its install script may have been blocked.\n" +
      "Remove node_modules and try again, or install a newer Node.js.",
  );
}

/** For programs that look for `node` themselves. */
export const modernPath = () => `${installed(".bin")}:${process.env.PATH}`;
