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
    client_id       TEXT NOT NULL,
    epoch           INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    minting         INTEGER NOT NULL,
    fence           INTEGER NOT NULL,
    status          TEXT NOT NULL,  -- the word; for people and queries
    standing        TEXT NOT NULL,  -- JSON: the whole of it
    authorized_at   INTEGER,
    reauthorize_by  INTEGER,
    scope           TEXT NOT NULL,
    account         TEXT,           -- JSON
    data_key        BLOB,           -- sealed by the master key
    refresh_token   BLOB,           -- sealed by the data key, as all below
    access_token    BLOB,
    access_expires  TEXT,           -- JSON
    access_life     INTEGER,        -- milliseconds
    candidates      TEXT NOT NULL,  -- JSON; the tokens in it sealed
    intent          TEXT,           -- JSON
    unanswered      TEXT,           -- JSON
    trouble         TEXT,           -- JSON
    forced_until    TEXT            -- JSON
) STRICT;

-- The few that somebody refreshes right now, or died over.
CREATE INDEX grants_armed ON grants (id) WHERE intent IS NOT NULL;

-- What `why` tells.
CREATE TABLE events (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    grant_id  TEXT NOT NULL,
    event     TEXT NOT NULL         -- JSON
) STRICT;
CREATE INDEX events_of_grant ON events (grant_id, id);

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
    verifier    BLOB NOT NULL       -- sealed
) STRICT;
