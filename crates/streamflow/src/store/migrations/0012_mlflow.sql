-- What an MLflow server is to be told of: a row for each version that was trained while one was named.
CREATE TABLE mlflow_versions (
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    at          TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'waiting',               -- waiting, registered, refused
    run_uuid    TEXT,                                          -- its run there; NULL until it was made
    registered  TEXT,                                          -- the number of the version there
    outcome     TEXT NOT NULL DEFAULT '',                      -- of a refused one, why
    taken_until TEXT,                                          -- a process is telling of it
    PRIMARY KEY (name, version)
) STRICT;
-- The production version of a model that the server knows of.
CREATE TABLE mlflow_production (
    name        TEXT PRIMARY KEY,
    version     INTEGER NOT NULL
) STRICT;
