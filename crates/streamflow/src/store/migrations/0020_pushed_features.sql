-- Features that callers pushed: the newest value of each feature of each entity.
CREATE TABLE pushed_features (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- grows with every change
    entity        TEXT NOT NULL,                 -- as the tables name it
    feature       TEXT NOT NULL,
    kind          TEXT NOT NULL,                 -- missing, boolean, number or text
    number        REAL,                          -- 1 and 0 for true and false
    text          TEXT,
    time_us       INTEGER NOT NULL,              -- when it was true: microseconds since 1970
    at            TEXT NOT NULL,                 -- when it came
    actor         TEXT NOT NULL,
    UNIQUE (entity, feature)
) STRICT;
CREATE INDEX pushed_features_by_time ON pushed_features (time_us);
-- How often values were deleted, so that a server that has them in memory knows.
CREATE TABLE pushed_deletions (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    count         INTEGER NOT NULL
) STRICT;
