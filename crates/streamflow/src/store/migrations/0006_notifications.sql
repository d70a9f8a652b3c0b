-- What channels are told. Rows come from the transitions and the audit trail, whose places stand in `watermarks`.
CREATE TABLE notifications (
    id          INTEGER PRIMARY KEY,
    channel     TEXT NOT NULL,
    what        TEXT NOT NULL,          -- decision, failure, approval, promotion, resolved
    flow        TEXT NOT NULL,          -- empty where no flow did it
    period      TEXT,                   -- the month that the run is about
    subject     TEXT NOT NULL,          -- told once, with channel, what, flow and period; of resolved: what is over
    body        TEXT NOT NULL,          -- JSON: the message
    at          TEXT NOT NULL,          -- when it happened
    tries       INTEGER NOT NULL DEFAULT 0,
    next_try_at TEXT NOT NULL,
    ended_at    TEXT,                   -- NULL while it is to be sent
    outcome     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX notifications_told ON notifications (channel, flow, what);
CREATE INDEX notifications_due ON notifications (next_try_at) WHERE ended_at IS NULL;
