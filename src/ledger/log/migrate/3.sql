-- From version 2 to 3: what is asked of a provider's API. Columns are only
-- added, and none is required.
ALTER TABLE ledger ADD COLUMN owed_seq INTEGER;
UPDATE ledger SET schema_version = 3;
