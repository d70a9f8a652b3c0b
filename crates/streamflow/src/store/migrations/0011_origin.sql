-- Where a version comes from that was not trained here: a JSON object with its file, format and last training date.
ALTER TABLE model_versions ADD COLUMN origin TEXT;
