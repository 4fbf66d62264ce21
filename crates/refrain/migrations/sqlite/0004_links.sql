-- Links by which a user consents in a browser. They let nobody in: of the secret in one there is a hash.
CREATE TABLE links (
    id          TEXT PRIMARY KEY,
    hash        BLOB NOT NULL,     -- keyed; the link itself is nowhere
    made_at     INTEGER NOT NULL,  -- milliseconds since 1970, as all times
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER,
    terms       TEXT NOT NULL      -- JSON: what is asked for
) STRICT;
