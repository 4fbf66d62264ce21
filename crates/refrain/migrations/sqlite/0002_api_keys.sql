-- refrain's own API keys: everything but the keys.
CREATE TABLE api_keys (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    hash           BLOB NOT NULL,     -- keyed; the key itself is nowhere
    permissions    TEXT NOT NULL,     -- words, with commas between them
    grants         TEXT,              -- JSON: the names of the grants it reaches; null for all
    rewrite_links  INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,  -- milliseconds since 1970, as all times
    expires_at     INTEGER,
    last_used_at   INTEGER,
    revoked_at     INTEGER
) STRICT;

-- A name is free again when its key is revoked.
CREATE UNIQUE INDEX api_keys_name ON api_keys (name) WHERE revoked_at IS NULL;
