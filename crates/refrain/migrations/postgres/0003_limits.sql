-- Who has to leave the Web API alone. A row stays when its gate is gone: its version never starts again.
CREATE TABLE refrain.limits (
    bucket   text PRIMARY KEY,      -- app:NAME or developer:NAME
    version  bigint NOT NULL,
    gate     text                   -- JSON; NULL where requests may be sent
);
