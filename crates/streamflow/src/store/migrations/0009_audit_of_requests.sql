-- Which version went into production, when and by whom: a log of its own, since a rollback takes a promotion back.
CREATE TABLE production_log (
    id          INTEGER PRIMARY KEY,
    at          TEXT NOT NULL,
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,                                 -- promote, rollback
    subject     TEXT NOT NULL,                                 -- the version
    run_id      INTEGER,
    once        TEXT                                           -- a promotion by a run is told once, however often it is tried
) STRICT;
CREATE UNIQUE INDEX production_log_once ON production_log (once);
INSERT INTO production_log (id, at, actor, action, subject, run_id, once)
SELECT id, at, actor, action, subject, run_id, once FROM audit WHERE action IN ('promote', 'rollback');
-- What follows takes the next numbers, which lie below those of the audit trail.
UPDATE watermarks SET position = CAST((SELECT COALESCE(MAX(id), 0) FROM production_log) AS TEXT)
WHERE name = 'notified changes'
AND CAST(position AS INTEGER) > (SELECT COALESCE(MAX(id), 0) FROM production_log);

-- From where a change was asked for, and what came of it.
ALTER TABLE audit ADD COLUMN address TEXT;                     -- NULL for commands and runs, which are of this machine
ALTER TABLE audit ADD COLUMN proxy TEXT;
ALTER TABLE audit ADD COLUMN outcome TEXT;                     -- NULL where the process ended before it was known
UPDATE audit SET outcome = 'done';
