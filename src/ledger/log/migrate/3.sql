-- From version 2 to 3: what is asked of a provider's API. Columns are only
-- added, and none is required.
ALTER TABLE ledger ADD COLUMN owed_seq INTEGER;
ALTER TABLE records ADD COLUMN gone_since INTEGER;
ALTER TABLE refolds ADD COLUMN gone_since INTEGER;
UPDATE ledger SET schema_version = 3;
