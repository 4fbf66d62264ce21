-- When to look whether there is something to tell of a grant; NULL for not before it changes. At once from its
-- first row on, and with every new epoch or status, whoever writes it, also an older refrain that is still
-- running. Milliseconds since 1970, as all times.
ALTER TABLE grants ADD COLUMN look_at INTEGER DEFAULT 0;
CREATE INDEX grants_look_at ON grants (look_at, name) WHERE look_at IS NOT NULL;
CREATE TRIGGER grants_news AFTER UPDATE OF epoch, status ON grants
    WHEN OLD.epoch <> NEW.epoch OR OLD.status <> NEW.status
BEGIN
    UPDATE grants SET look_at = 0 WHERE id = NEW.id;
END;

-- Those who run refrain, among any number of users.
CREATE INDEX sessions_admin ON sessions (whose, made_at) WHERE grant_name IS NULL;

-- What was told of each grant last.
CREATE TABLE told (
    grant_id  TEXT PRIMARY KEY,
    version   INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    standing  TEXT NOT NULL,
    days      INTEGER            -- the nearest that was told ahead: 30, 7 or 1
) STRICT;

-- Messages, one row for each place that one goes to. Nothing in it is more personal than a grant's name.
CREATE TABLE notices (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    message       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    grant_id      TEXT,
    grant_name    TEXT,
    body          TEXT NOT NULL,  -- JSON, as it is sent
    target        TEXT NOT NULL,  -- keyed hash of the address
    place         TEXT NOT NULL,  -- its origin
    made_at       INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    next_at       INTEGER,        -- NULL once it has arrived, or was given up
    leased_era    TEXT,           -- by the store's clock: who has it has it until then
    leased_until  INTEGER,
    outcome       TEXT,           -- of the last attempt
    delivered_at  INTEGER,
    given_up_at   INTEGER
) STRICT;
CREATE INDEX notices_due ON notices (target, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notices_of ON notices (grant_id) WHERE next_at IS NOT NULL;
CREATE INDEX notices_about ON notices (grant_name, number);
CREATE INDEX notices_made_at ON notices (made_at);

-- Places that want no more.
CREATE TABLE notices_refused (
    target  TEXT PRIMARY KEY,
    at      INTEGER NOT NULL
) STRICT;

-- Places that servers send to, and when one of them has said so last.
CREATE TABLE notices_targets (
    target    TEXT PRIMARY KEY,
    place     TEXT NOT NULL,
    named_at  INTEGER NOT NULL
) STRICT;

-- Since when anybody tells of grants.
CREATE TABLE notices_since (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    at  INTEGER NOT NULL
) STRICT;
