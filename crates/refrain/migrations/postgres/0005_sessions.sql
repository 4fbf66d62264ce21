-- Who is signed in with a browser. They let nobody in: of what a browser shows there is a hash.
CREATE TABLE refrain.sessions (
    id          text COLLATE "C" PRIMARY KEY,
    hash        bytea NOT NULL,    -- keyed; the session's text itself is nowhere
    whose       text NOT NULL,     -- sign_in, admin or user
    grant_name  text COLLATE "C",  -- what a user reaches
    made_at     bigint NOT NULL,   -- milliseconds since 1970, as all times
    seen_at     bigint NOT NULL,
    lapses_at   bigint NOT NULL,
    ends_at     bigint NOT NULL
);
CREATE INDEX sessions_grant ON refrain.sessions (grant_name) WHERE grant_name IS NOT NULL;
CREATE INDEX sessions_lapse ON refrain.sessions (lapses_at);
