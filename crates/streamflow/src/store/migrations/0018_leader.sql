-- The server that runs schedules and triggers. Another epoch for each time that one takes over; whoever writes as the
-- leader writes in its epoch or not at all.
CREATE TABLE leader (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    epoch  BIGINT NOT NULL,
    -- Rises while the leader lives.
    beat   BIGINT NOT NULL,
    -- Its process; empty once it has given the place up.
    holder TEXT NOT NULL
);
-- Rises when a process takes a run, and when the run is taken from it: what it writes afterwards is refused.
ALTER TABLE runs ADD COLUMN claim INTEGER NOT NULL DEFAULT 0;
