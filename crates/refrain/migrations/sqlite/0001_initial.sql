-- The store's identity, and the sealed value that its master key is recognised by.
CREATE TABLE store (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    deployment  BLOB NOT NULL,
    key_check   BLOB NOT NULL
) STRICT;

-- One row a grant. Every write is `… WHERE id = ? AND version = ?`.
CREATE TABLE grants (
    id              TEXT PRIMARY KEY,
    version         INTEGER NOT NULL,
    name            TEXT NOT NULL UNIQUE,
    app             TEXT NOT NULL,
    epoch           INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    minting         INTEGER NOT NULL,
    fence           INTEGER NOT NULL,
    status          TEXT NOT NULL,
    reauthorize_by  INTEGER,        -- milliseconds since 1970, as all times
    armed           INTEGER NOT NULL,
    master_key      TEXT,           -- the name of the key that seals the data key
    data_key        BLOB,           -- sealed by the master key
    refresh_token   BLOB,           -- sealed by the data key
    access_token    BLOB,           -- sealed by the data key
    rest            TEXT NOT NULL,  -- JSON: what no query asks about
    changed         INTEGER NOT NULL
) STRICT;

-- The few that somebody refreshes right now, or died over.
CREATE INDEX grants_armed ON grants (id) WHERE armed;

-- Counts the writes that other processes have to hear of: a new token, a login, a logout.
CREATE INDEX grants_changed ON grants (changed);

-- For the rotation of the master key.
CREATE INDEX grants_master_key ON grants (master_key);

-- What `why` tells.
CREATE TABLE events (
    grant_id  TEXT NOT NULL,
    version   INTEGER NOT NULL,     -- of the grant's row, which wrote it
    place     INTEGER NOT NULL,     -- among the events of that write
    event     TEXT NOT NULL,        -- JSON
    PRIMARY KEY (grant_id, version, place)
) STRICT, WITHOUT ROWID;

-- What all grants of an app share: rate limit and breaker.
CREATE TABLE apps (
    name     TEXT PRIMARY KEY,
    version  INTEGER NOT NULL,
    state    TEXT NOT NULL          -- JSON
) STRICT;

-- Logins that have begun and not come back.
CREATE TABLE attempts (
    id          TEXT PRIMARY KEY,   -- keyed hash of the state parameter
    expires_at  INTEGER NOT NULL,
    attempt     TEXT NOT NULL,      -- JSON
    verifier    BLOB NOT NULL       -- sealed by the master key
) STRICT;
