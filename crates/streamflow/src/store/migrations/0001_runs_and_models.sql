-- Runs of flows with their tasks and logs, and the versions of models. Instants are RFC 3339 in UTC.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    flow        TEXT NOT NULL,
    parameters  TEXT NOT NULL,             -- JSON object
    state       TEXT NOT NULL,             -- running, completed, failed
    state_name  TEXT NOT NULL,             -- the outcome in words: NO_ACTION, RETRAINING_TRIGGERED, ...
    message     TEXT NOT NULL DEFAULT '',
    started_at  TEXT NOT NULL,
    ended_at    TEXT
) STRICT;

CREATE TABLE tasks (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    state       TEXT NOT NULL,             -- running, completed, failed
    message     TEXT NOT NULL DEFAULT '',
    started_at  TEXT NOT NULL,
    duration_ms REAL
) STRICT;
CREATE INDEX tasks_of_run ON tasks (run_id);

CREATE TABLE logs (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    level       TEXT NOT NULL,             -- info, warning, error
    message     TEXT NOT NULL,
    at          TEXT NOT NULL
) STRICT;
CREATE INDEX logs_of_run ON logs (run_id);

CREATE TABLE model_versions (
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    as_of       TEXT NOT NULL,             -- snapshot it was trained on
    seed        INTEGER NOT NULL,
    metrics     TEXT NOT NULL,             -- JSON object
    created_at  TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

-- The newest row of a name is its production version; the row before it is what a rollback returns to.
CREATE TABLE promotions (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    at          TEXT NOT NULL,
    FOREIGN KEY (name, version) REFERENCES model_versions (name, version)
) STRICT;
