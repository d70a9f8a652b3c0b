-- Who is logged in to the console, so that every server of the database knows them.
CREATE TABLE sessions (
    -- SHA-256 of the cookie: who reads the database cannot log in by it.
    id        TEXT PRIMARY KEY,
    user_name TEXT NOT NULL,
    token     TEXT NOT NULL,
    -- SHA-256 of the hash of the user's password: with another password the login is over.
    proof     TEXT NOT NULL,
    -- Seconds since 1970.
    began_s   BIGINT NOT NULL,
    used_s    BIGINT NOT NULL
);
