-- What a version predicts: binary. Versions of the time before this column are binary.
ALTER TABLE model_versions ADD COLUMN task TEXT NOT NULL DEFAULT 'binary';
