-- Everything is in a schema of its own, and every statement names it: a pooler may hand each statement
-- to another session, so that no search path can be relied on.
CREATE SCHEMA IF NOT EXISTS refrain;

CREATE TABLE refrain.layout (
    layout  bigint NOT NULL
);

-- The store's identity, and the sealed value that its master key is recognised by.
CREATE TABLE refrain.store (
    id          bigint PRIMARY KEY CHECK (id = 1),
    deployment  bytea NOT NULL,
    key_check   bytea NOT NULL
);

-- One row a grant. Every write is `… WHERE id = … AND version = …`.
CREATE TABLE refrain.grants (
    id              text PRIMARY KEY,
    version         bigint NOT NULL,
    name            text COLLATE "C" NOT NULL UNIQUE,
    app             text NOT NULL,
    epoch           bigint NOT NULL,
    generation      bigint NOT NULL,
    minting         bigint NOT NULL,
    fence           bigint NOT NULL,
    status          text NOT NULL,
    reauthorize_by  bigint,         -- milliseconds since 1970, as all times
    armed           boolean NOT NULL,
    master_key      text,           -- the name of the key that seals the data key
    data_key        bytea,          -- sealed by the master key
    refresh_token   bytea,          -- sealed by the data key
    access_token    bytea,          -- sealed by the data key
    rest            text NOT NULL,  -- JSON: what no query asks about
    changed         bigint NOT NULL -- the transaction of the last write that others have to hear of
);

-- The few that somebody refreshes right now, or died over.
CREATE INDEX grants_armed ON refrain.grants (id) WHERE armed;

-- A new token, a login, a logout: how other processes hear of them.
CREATE INDEX grants_changed ON refrain.grants (changed);

-- For the rotation of the master key.
CREATE INDEX grants_master_key ON refrain.grants (master_key);

-- What `why` tells.
CREATE TABLE refrain.events (
    grant_id  text NOT NULL,
    version   bigint NOT NULL,      -- of the grant's row, which wrote it
    place     bigint NOT NULL,      -- among the events of that write
    event     text NOT NULL,        -- JSON
    PRIMARY KEY (grant_id, version, place)
);

-- What all grants of an app share: rate limit and breaker.
CREATE TABLE refrain.apps (
    name     text PRIMARY KEY,
    version  bigint NOT NULL,
    state    text NOT NULL          -- JSON
);

-- Logins that have begun and not come back.
CREATE TABLE refrain.attempts (
    id          text PRIMARY KEY,   -- keyed hash of the state parameter
    expires_at  bigint NOT NULL,
    attempt     text NOT NULL,      -- JSON
    verifier    bytea NOT NULL      -- sealed by the master key
);
