// Where things are.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

export const inRoot = (...parts) => join(here, "..", "..", ...parts);
export const inBench = (...parts) => join(here, "..", ...parts);
