// Whether files have changed since something was made of them.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

import { root } from "./paths.mjs";

/** A hash over the names and contents of files and folders, and over any further `facts`. */
export function fingerprint(paths, ...facts) {
  const hash = createHash("sha256");
  const add = (path) => {
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path).sort()) if (name !== "target") add(join(path, name));
    } else {
      const content = readFileSync(path);
      // The same in every checkout.
      hash.update(`${relative(root, path)} ${content.length}\n`).update(content);
    }
  };
  paths.forEach(add);
  return hash.update(JSON.stringify(facts)).digest("hex");
}

/** What is written in a file, or nothing if there is none. */
export const content = (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined);
