-- How much of a run a Prefect server was told. What is told comes from the transitions, the logs and the artifacts.
CREATE TABLE mirrored (
    run_id      INTEGER PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    prefect_id  TEXT,                            -- the run's id there; NULL until it was made
    is_attached INTEGER NOT NULL DEFAULT 0,      -- a worker started it: it was there before
    is_closed   INTEGER NOT NULL DEFAULT 0,      -- it is not to be told more
    transition  INTEGER NOT NULL DEFAULT 0,      -- the last line of each that it was told
    log         INTEGER NOT NULL DEFAULT 0,
    artifact    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Documents that a run wrote for people.
CREATE TABLE artifacts (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key         TEXT NOT NULL,
    markdown    TEXT NOT NULL,
    at          TEXT NOT NULL
) STRICT;
CREATE INDEX artifacts_of_run ON artifacts (run_id);
