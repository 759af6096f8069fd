-- What the connector of one account key keeps. A row written is what costs:
-- of a walk one is written for each page, of a record that is owed one when it
-- begins to be and one when it ends.

-- One row: the version of all these tables, and what of the pace must outlive
-- the memory.
CREATE TABLE connector (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  schema_version INTEGER NOT NULL,
  min_version INTEGER NOT NULL,      -- the oldest version whose code may go on with them
  name TEXT NOT NULL,                -- its own
  window_at INTEGER NOT NULL DEFAULT 0, -- times are microseconds since 1970
  used INTEGER NOT NULL DEFAULT 0,
  paused_until INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE integrations (
  number INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  epoch INTEGER,                     -- of the numbers of its ledger; NULL if none is known
  seq INTEGER NOT NULL,              -- the last one that is known
  synced_seq INTEGER NOT NULL,       -- of the last end of a synchronisation
  known_at INTEGER NOT NULL,
  daily_at INTEGER,                  -- when to reconcile by the clock, and to read all; NULL if never
  deep_at INTEGER
);

-- Sources of which something went wrong.
CREATE TABLE sources (
  source TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,         -- in a row
  paused_until INTEGER NOT NULL,
  is_refused INTEGER NOT NULL,       -- the key was
  why TEXT NOT NULL
) WITHOUT ROWID;

-- What is known of the lists and items of a model.
CREATE TABLE models (
  source TEXT NOT NULL,
  model TEXT NOT NULL,
  lists INTEGER NOT NULL,            -- see models.rs
  is_found INTEGER NOT NULL,         -- something of it was, once
  missing INTEGER NOT NULL,          -- how many weren't, before
  stopped_until INTEGER NOT NULL,
  why TEXT NOT NULL,
  PRIMARY KEY (source, model)
) WITHOUT ROWID;

-- Records to ask for.
CREATE TABLE owed (
  integration INTEGER NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  since INTEGER NOT NULL,
  told_at INTEGER NOT NULL,
  told_seq INTEGER NOT NULL,         -- a read that began behind it clears the debt
  due_at INTEGER NOT NULL,
  missing INTEGER NOT NULL,          -- reads that didn't find it
  failures INTEGER NOT NULL,
  stale INTEGER NOT NULL,            -- reads that were older than what is known
  state INTEGER NOT NULL,            -- see owed.rs
  why TEXT NOT NULL,
  PRIMARY KEY (integration, model, record_id)
) WITHOUT ROWID;

-- Walks through lists: those under way, and of those that ended the last one.
CREATE TABLE walks (
  class INTEGER NOT NULL,            -- see walks.rs
  integration INTEGER NOT NULL,
  model TEXT NOT NULL,
  since INTEGER,                     -- only what has changed since; NULL for all
  lists INTEGER NOT NULL,            -- by which way: see models.rs
  changed_from TEXT,                 -- the cursor: see walk.rs
  "offset" INTEGER NOT NULL,
  anchors TEXT NOT NULL,
  "limit" INTEGER NOT NULL,
  began_at INTEGER,
  began_seq INTEGER NOT NULL,
  began_epoch INTEGER,
  is_last INTEGER NOT NULL,          -- once more from the overlap
  due_at INTEGER NOT NULL,
  failures INTEGER NOT NULL,         -- of this page
  records INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  repaired INTEGER NOT NULL,
  skipped INTEGER NOT NULL,
  ended_at INTEGER,
  why TEXT NOT NULL,                 -- if it broke off
  covered_at INTEGER,                -- when the last one began that came to its end
  is_again INTEGER NOT NULL,         -- another is to follow,
  again_since INTEGER,               -- from here on
  PRIMARY KEY (class, integration, model)
) WITHOUT ROWID;

-- What was counted of each source since the beginning: stored with each report.
CREATE TABLE counts (
  source TEXT PRIMARY KEY,
  requests TEXT NOT NULL,            -- by what became of them: see figures.rs
  repaired INTEGER NOT NULL,         -- records that a read changed, and no webhook had told of
  answered_at INTEGER NOT NULL       -- when it last answered as it should
) WITHOUT ROWID;

-- How far the provider's log of changes was compared with what webhooks told,
-- and what they have lost.
CREATE TABLE change_logs (
  integration INTEGER PRIMARY KEY,
  read_until INTEGER NOT NULL,       -- all before was compared
  before INTEGER,                    -- the end of the stretch that is being read
  "offset" INTEGER NOT NULL,         -- changes of it that were
  due_at INTEGER,                    -- of the next page; NULL if none is wanted
  failures INTEGER NOT NULL,
  stopped_until INTEGER NOT NULL,
  why TEXT NOT NULL,
  synced_at INTEGER NOT NULL,        -- the end of the last synchronisation
  lost INTEGER NOT NULL,             -- webhooks: ever,
  last_lost INTEGER NOT NULL,        -- in the last stretch,
  now_lost INTEGER NOT NULL,         -- and so far in the present one
  compared_at INTEGER,
  examples TEXT NOT NULL,            -- JSON
  now_examples TEXT NOT NULL
);

-- What went wrong last.
CREATE TABLE failures (
  number INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  source TEXT NOT NULL,
  integration TEXT NOT NULL,
  model TEXT NOT NULL,
  record_id TEXT NOT NULL,
  why TEXT NOT NULL
);
