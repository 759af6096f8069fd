-- Brings a database of 0.1.0 to what `migrations/0001_leasewire.sql` makes. To be run before the
-- Worker is deployed; the one of 0.1.0 goes on with it:
--
--   npx wrangler d1 execute leasewire --remote --file upgrade/0.1.0.sql
--
-- The migrations that came since are applied then.
--
-- It only adds, so it takes no time and writes hardly a row. A second run changes nothing and says
-- `duplicate column name: epoch`.
ALTER TABLE records ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integrations ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE integrations ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notices ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notices ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
CREATE TABLE schema_version (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version INTEGER NOT NULL
);
INSERT INTO schema_version (id, version) VALUES (1, 2);

-- The migrations of 0.1.0 are one since then, which is applied herewith.
CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);
INSERT OR IGNORE INTO d1_migrations (name) VALUES ('0001_leasewire.sql');
