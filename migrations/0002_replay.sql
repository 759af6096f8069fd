-- Of two states of a record the one with the greater generation is the newer, then the one with the
-- greater version. A replay makes a new generation of the records that it folds again.
ALTER TABLE records ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
