-- What live traffic of a version is compared with.
CREATE TABLE live_references (
    model         TEXT NOT NULL,
    version       INTEGER NOT NULL,
    source        TEXT NOT NULL,                 -- which rows it was made of, for a reader
    reference     TEXT NOT NULL,                 -- classes and counts, as streamflow-live writes them
    first_minute  INTEGER,                       -- the first minute with traffic, since 1970
    alarms        TEXT NOT NULL DEFAULT '{}',    -- what has drifted and since when
    PRIMARY KEY (model, version)
) STRICT;
-- Samples of traffic: single minutes of a process, and quarters of an hour of all of them.
CREATE TABLE live_minutes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    model         TEXT NOT NULL,
    version       INTEGER NOT NULL,
    start         INTEGER NOT NULL,              -- minutes since 1970
    minutes       INTEGER NOT NULL,              -- 1 or 15
    origin        TEXT NOT NULL,                 -- the process; empty for quarters of an hour
    body          BLOB NOT NULL,
    UNIQUE (model, version, start, minutes, origin)
) STRICT;
CREATE TABLE live_secret (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    seed          INTEGER NOT NULL               -- goes into the hashes of entities
) STRICT;
