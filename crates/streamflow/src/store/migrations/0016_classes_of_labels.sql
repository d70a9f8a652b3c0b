-- The class that came true, where the label is one of several; then `label` is 0.
ALTER TABLE labels ADD COLUMN class TEXT;
-- Which content the labels of an ingested month had, and from when on.
CREATE TABLE label_drops (
    id INTEGER PRIMARY KEY,
    as_of TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX label_drops_by_month ON label_drops (as_of, id);
