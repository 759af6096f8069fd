// Folders for state.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for state that is to survive a stop; whoever makes it removes it. */
export const newFolder = () => mkdtempSync(join(tmpdir(), "leasewire-e2e-"));

export const removeFolder = (folder) => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
