-- The process of a run: machine, boot, process id and the process's start, to tell a run that goes on from one whose
-- process is gone. NULL for runs of the time before.
ALTER TABLE runs ADD COLUMN process TEXT;
