-- What `streamflow live certify` found last of the traffic of a version.
CREATE TABLE live_certificates (
    model         TEXT NOT NULL,
    version       INTEGER NOT NULL,
    settings      TEXT NOT NULL,                 -- the section [live] that it holds for
    certificate   TEXT NOT NULL,
    PRIMARY KEY (model, version)
) STRICT;
-- When the traffic of a served version began to drift and ended, as marks on charts.
CREATE TABLE live_changes (
    id            INTEGER PRIMARY KEY,
    model         TEXT NOT NULL,
    version       INTEGER NOT NULL,
    at            TEXT NOT NULL,                 -- the end of the minute; replicas see the same once
    text          TEXT NOT NULL,
    UNIQUE (model, version, at, text)
) STRICT;
CREATE INDEX live_changes_by_time ON live_changes (at);
