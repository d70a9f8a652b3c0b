-- Results of steps that a later run may take over, and when the runs of a flow last ended.
ALTER TABLE runs ADD COLUMN afresh INTEGER NOT NULL DEFAULT 0;  -- whether its steps run although their results are kept
CREATE INDEX tasks_of_input ON tasks (input) WHERE input IS NOT NULL;
DROP INDEX runs_of_flow;
CREATE INDEX runs_of_flow ON runs (flow, state, ended_at);
