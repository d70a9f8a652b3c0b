-- Labels that came after the answers they are for. Nothing is changed: a correction is a row with a later time.
CREATE TABLE labels (
    id INTEGER PRIMARY KEY,
    -- The request, the entity, or both; texts are empty where they are not named, so that keys are compared alike.
    request_id TEXT NOT NULL,
    -- As the log of predictions has it: in clear or hashed.
    entity TEXT NOT NULL,
    -- Microseconds since 1970; of a request 0.
    time_us INTEGER NOT NULL,
    label REAL NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL
);
CREATE INDEX labels_by_key ON labels (request_id, entity, time_us, id);
-- The version that answers beside the one in production and is not heard.
CREATE TABLE shadows (
    model TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL
);
