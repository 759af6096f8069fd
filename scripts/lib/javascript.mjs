// The formatter and linter of the JavaScript here, which biome.jsonc sets up.

import { run } from "./command.mjs";
import { modernNode } from "./node.mjs";
import { installed } from "./paths.mjs";

const biome = installed("@biomejs", "biome", "bin", "biome");

/** Runs Biome over all JavaScript: `check` looks, and with `--write` changes it. */
export const javascript = (...args) => run(modernNode(), [biome, ...args, "--error-on-warnings"]);
