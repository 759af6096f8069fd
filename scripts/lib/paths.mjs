// Where things are.

import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const inRoot = (...parts) => join(root, ...parts);

export const installed = (...parts) => inRoot("node_modules", ...parts);

// Outside the checkout, so that a second one doesn't compile the same tool again.
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "leasewire");

export const cargoTarget = process.env.CARGO_TARGET_DIR || inRoot("target");
