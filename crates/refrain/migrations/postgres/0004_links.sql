-- Links by which a user consents in a browser. They let nobody in: of the secret in one there is a hash.
CREATE TABLE refrain.links (
    id          text COLLATE "C" PRIMARY KEY,
    hash        bytea NOT NULL,    -- keyed; the link itself is nowhere
    made_at     bigint NOT NULL,   -- milliseconds since 1970, as all times
    expires_at  bigint NOT NULL,
    used_at     bigint,
    terms       text NOT NULL      -- JSON: what is asked for
);
