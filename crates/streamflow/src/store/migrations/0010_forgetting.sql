-- Entities that are being forgotten. The row is there while that is not finished, so that it is resumed; what is left of
-- it afterwards is the receipt in the audit trail, which does not name the entity.
CREATE TABLE forgetting (
    id          INTEGER PRIMARY KEY,
    entity      TEXT NOT NULL,
    hash        TEXT NOT NULL,             -- salted: what names the entity afterwards
    salt        TEXT NOT NULL,             -- for the first entity of a data directory
    actor       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    at          TEXT NOT NULL,
    found       TEXT NOT NULL              -- JSON: what was found where before anything was removed
) STRICT;
CREATE UNIQUE INDEX forgetting_hash ON forgetting (hash);
