-- The version that answers a share of the entities in the place of the one in production.
CREATE TABLE canaries (
    -- Another one for each share: what answers are counted under.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    -- The version in production, which answers the others.
    production INTEGER NOT NULL,
    share REAL NOT NULL,
    -- The run that keeps it, where one does: it ends with the run.
    run_id INTEGER,
    -- Why the serving process cannot answer by it.
    trouble TEXT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL
);
-- What serving processes have counted of answers by two versions. Rows go when what they are of ends.
CREATE TABLE tallies (
    model TEXT NOT NULL,
    -- `canary 7` by its id, or `shadow of run 3`.
    trial TEXT NOT NULL,
    -- `production` or `candidate`; of a shadow `pairs`.
    arm TEXT NOT NULL,
    -- One for each time that a process has begun to count.
    process TEXT NOT NULL,
    tally TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (model, trial, arm, process)
);
-- The run that keeps the shadow, where one does.
ALTER TABLE shadows ADD COLUMN run_id INTEGER;
