-- Who is signed in with a browser. They let nobody in: of what a browser shows there is a hash.
CREATE TABLE sessions (
    id          TEXT PRIMARY KEY,
    hash        BLOB NOT NULL,     -- keyed; the session's text itself is nowhere
    whose       TEXT NOT NULL,     -- sign_in, admin or user
    grant_name  TEXT,              -- what a user reaches
    made_at     INTEGER NOT NULL,  -- milliseconds since 1970, as all times
    seen_at     INTEGER NOT NULL,
    lapses_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_grant ON sessions (grant_name) WHERE grant_name IS NOT NULL;
CREATE INDEX sessions_lapse ON sessions (lapses_at);
