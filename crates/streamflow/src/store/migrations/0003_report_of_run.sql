-- The report that a run wrote, by its name in the report folder; NULL for runs of other flows and of the time before.
ALTER TABLE runs ADD COLUMN report TEXT;
