-- When to look whether there is something to tell of a grant; NULL for not before it changes. At once from its
-- first row on, and with every new epoch or status, whoever writes it, also an older refrain that is still
-- running. Milliseconds since 1970, as all times.
ALTER TABLE refrain.grants ADD COLUMN look_at bigint DEFAULT 0;
CREATE INDEX grants_look_at ON refrain.grants (look_at, name) WHERE look_at IS NOT NULL;
CREATE FUNCTION refrain.is_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.look_at := 0;
    RETURN NEW;
END
$$;
CREATE TRIGGER grants_news BEFORE UPDATE OF epoch, status ON refrain.grants FOR EACH ROW
    WHEN (OLD.epoch <> NEW.epoch OR OLD.status <> NEW.status) EXECUTE FUNCTION refrain.is_news();

-- Those who run refrain, among any number of users.
CREATE INDEX sessions_admin ON refrain.sessions (whose, made_at) WHERE grant_name IS NULL;

-- What was told of each grant last.
CREATE TABLE refrain.told (
    grant_id  text PRIMARY KEY,
    version   bigint NOT NULL,
    epoch     bigint NOT NULL,
    standing  text NOT NULL,
    days      bigint             -- the nearest that was told ahead: 30, 7 or 1
);

-- Messages, one row for each place that one goes to. Nothing in it is more personal than a grant's name.
CREATE TABLE refrain.notices (
    number        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message       text NOT NULL,
    kind          text NOT NULL,
    grant_id      text,
    grant_name    text,
    body          text NOT NULL,  -- JSON, as it is sent
    target        text NOT NULL,  -- keyed hash of the address
    place         text NOT NULL,  -- its origin
    made_at       bigint NOT NULL,
    attempts      bigint NOT NULL,
    next_at       bigint,         -- NULL once it has arrived, or was given up
    leased_until  bigint,         -- by the server's clock: who has it has it until then
    outcome       text,           -- of the last attempt
    delivered_at  bigint,
    given_up_at   bigint
);
CREATE INDEX notices_due ON refrain.notices (target, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notices_of ON refrain.notices (grant_id) WHERE next_at IS NOT NULL;
CREATE INDEX notices_about ON refrain.notices (grant_name, number);
CREATE INDEX notices_made_at ON refrain.notices (made_at);

-- Places that want no more.
CREATE TABLE refrain.notices_refused (
    target  text PRIMARY KEY,
    at      bigint NOT NULL
);

-- Places that servers send to, and when one of them has said so last.
CREATE TABLE refrain.notices_targets (
    target    text PRIMARY KEY,
    place     text NOT NULL,
    named_at  bigint NOT NULL
);

-- Since when anybody tells of grants.
CREATE TABLE refrain.notices_since (
    id  bigint PRIMARY KEY CHECK (id = 1),
    at  bigint NOT NULL
);
