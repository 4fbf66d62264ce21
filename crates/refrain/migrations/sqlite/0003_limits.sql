-- Who has to leave the Web API alone. A row stays when its gate is gone: its version never starts again.
CREATE TABLE limits (
    bucket   TEXT PRIMARY KEY,      -- app:NAME or developer:NAME
    version  INTEGER NOT NULL,
    gate     TEXT                   -- JSON; NULL where requests may be sent
) STRICT;
