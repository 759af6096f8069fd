// Alarms in the state that Miniflare keeps.

import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Takes every alarm out of the state kept in `folder`; gives how many there were. */
export function loseAlarms(folder) {
  let lost = 0;
  for (const file of globSync(join(folder, "**", "*.sqlite"))) {
    const db = new DatabaseSync(file);
    const has = (table) => db.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").get(table);
    if (has("_cf_ALARM")) lost += db.prepare("DELETE FROM _cf_ALARM").run().changes;
    // What the object itself is told.
    if (has("_cf_METADATA")) db.prepare("UPDATE _cf_METADATA SET value = NULL WHERE key = 1").run();
    db.close();
  }
  return lost;
}
