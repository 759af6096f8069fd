-- Where the sweep stands, in one row. A round looks at every integration once, in the order of the
-- primary key of `integrations`. RFC 3339 in UTC.
CREATE TABLE sweep (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  began_at TEXT NOT NULL,     -- when this round began; the next one begins a day later
  source TEXT NOT NULL,       -- the last integration that was looked at
  integration TEXT NOT NULL,
  is_over INTEGER NOT NULL    -- 1 if none is left
);
