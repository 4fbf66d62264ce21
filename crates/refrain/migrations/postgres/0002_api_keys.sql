-- refrain's own API keys: everything but the keys.
CREATE TABLE refrain.api_keys (
    id             text COLLATE "C" PRIMARY KEY,
    name           text COLLATE "C" NOT NULL,
    hash           bytea NOT NULL,    -- keyed; the key itself is nowhere
    permissions    text NOT NULL,     -- words, with commas between them
    grants         text,              -- JSON: the names of the grants it reaches; null for all
    rewrite_links  boolean NOT NULL,
    created_at     bigint NOT NULL,   -- milliseconds since 1970, as all times
    expires_at     bigint,
    last_used_at   bigint,
    revoked_at     bigint
);

-- A name is free again when its key is revoked.
CREATE UNIQUE INDEX api_keys_name ON refrain.api_keys (name) WHERE revoked_at IS NULL;
