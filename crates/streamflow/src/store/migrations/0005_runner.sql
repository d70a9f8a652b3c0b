-- Flows that run by themselves. The transitions are the truth about a run; `runs` and `tasks` say where they led.
ALTER TABLE runs ADD COLUMN period TEXT;                       -- the month that the run is about
ALTER TABLE runs ADD COLUMN cause TEXT NOT NULL DEFAULT 'command'; -- what started it: command, schedule, drop, ...
ALTER TABLE runs ADD COLUMN due_at TEXT;                       -- when it is to start; NULL for at once
ALTER TABLE runs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN lease_until TEXT;                  -- a run of another machine is alive until then
ALTER TABLE runs ADD COLUMN event TEXT;                        -- what is handled by one run only
ALTER TABLE runs ADD COLUMN log_bytes INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX runs_of_event ON runs (event);
CREATE INDEX runs_of_flow ON runs (flow, state);
CREATE INDEX runs_of_state ON runs (state);
UPDATE runs SET state = 'crashed' WHERE state = 'failed' AND state_name = 'Crashed';

ALTER TABLE tasks ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tasks ADD COLUMN state_name TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN output TEXT;                      -- JSON: what a later attempt takes instead of running it
ALTER TABLE tasks ADD COLUMN input TEXT;                       -- hash of what it was made from, where it may be reused

CREATE TABLE transitions (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task_id     INTEGER REFERENCES tasks (id) ON DELETE CASCADE, -- NULL for the run itself
    state       TEXT NOT NULL,
    state_name  TEXT NOT NULL,
    message     TEXT NOT NULL DEFAULT '',
    actor       TEXT NOT NULL DEFAULT '',                      -- who asked for it, where somebody did
    at          TEXT NOT NULL
) STRICT;
CREATE INDEX transitions_of_run ON transitions (run_id);

-- What a paused run waits for. The answer is part of the run.
CREATE TABLE approvals (
    run_id      INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task        TEXT NOT NULL,
    question    TEXT NOT NULL,
    asked_at    TEXT NOT NULL,
    expires_at  TEXT NOT NULL,
    answer      TEXT,                                          -- approved, rejected
    answered_by TEXT,
    answered_at TEXT,
    note        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, task)
) STRICT;

-- Schedules live in the configuration; here is what was handled of them.
CREATE TABLE schedules (
    flow        TEXT PRIMARY KEY,
    paused      INTEGER NOT NULL DEFAULT 0,
    handled_to  TEXT
) STRICT;
CREATE TABLE skipped_times (
    flow        TEXT NOT NULL,
    due_at      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (flow, due_at)
) STRICT;

-- How far something that starts flows was looked at.
CREATE TABLE watermarks (
    name        TEXT PRIMARY KEY,
    position    TEXT NOT NULL
) STRICT;

-- Every change of what is served and every decision that somebody made, never edited.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY,
    at          TEXT NOT NULL,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    detail      TEXT NOT NULL DEFAULT '',
    run_id      INTEGER,
    once        TEXT                                           -- an action of a run is told once, however often it is tried
) STRICT;
CREATE UNIQUE INDEX audit_once ON audit (once);

-- How right a version was on a period. The newest row of a version, period and kind counts.
CREATE TABLE evaluations (
    id          INTEGER PRIMARY KEY,
    model       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    period      TEXT NOT NULL,
    kind        TEXT NOT NULL,                                 -- realised, estimated
    at          TEXT NOT NULL,
    run_id      INTEGER,
    evaluation  TEXT NOT NULL                                  -- JSON object
) STRICT;
CREATE INDEX evaluations_of_version ON evaluations (model, version, period);

ALTER TABLE model_versions ADD COLUMN run_id INTEGER;          -- the run that trained it
ALTER TABLE promotions ADD COLUMN run_id INTEGER;
ALTER TABLE promotions ADD COLUMN actor TEXT NOT NULL DEFAULT '';
