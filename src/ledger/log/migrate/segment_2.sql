ALTER TABLE {events} ADD COLUMN occurred_ns INTEGER;
ALTER TABLE {events} ADD COLUMN ambiguous INTEGER;
ALTER TABLE {events} ADD COLUMN generation INTEGER;
