//! One gate: pure functions, as in `lifecycle`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    id::{AppName, DeveloperName},
    limit::{Bucket, Kind, Limit},
    time::{Deadline, Moment, UnixMillis},
};

/// So long after its end a gate that nobody has come to is forgotten: the longest window is a day.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// A limit that was met, until somebody has come through again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Who has to wait.
    pub bucket: Bucket,
    /// The app whose request was answered so last.
    pub app: AppName,
    /// When it closed; it has not been open since.
    pub since: UnixMillis,
    /// When the next request may try.
    pub until: Deadline,
    /// What the answer said, where it did.
    pub told: Option<Duration>,
}

impl Gate {
    /// Closes a gate.
    pub fn closed(app: &AppName, developer: &DeveloperName, limit: &Limit, now: &Moment) -> Self {
        Self {
            bucket: Bucket::of(limit.kind, app, developer),
            app: app.clone(),
            since: now.wall,
            until: Deadline::after(now, limit.wait),
            told: limit.told,
        }
    }

    /// Which limit was met.
    pub fn kind(&self) -> Kind {
        self.bucket.kind()
    }

    /// How long nobody gets through; zero from the end on, when one may try.
    pub fn remaining(&self, now: &Moment) -> Duration {
        self.until.remaining(now)
    }

    /// When the next request may try, by the wall clock of now.
    pub fn ends(&self, now: &Moment) -> UnixMillis {
        now.wall.after(self.remaining(now))
    }

    /// Whether the answer asked for more than is believed.
    pub fn is_capped(&self) -> bool {
        let span = Duration::from_millis(self.until.span.unsigned_abs());
        self.told.is_some_and(|told| told > span)
    }

    /// The one that holds an app up the longest, of those that are closed.
    pub fn holding<'a>(
        gates: &'a [Self],
        app: &AppName,
        developer: &DeveloperName,
        now: &Moment,
    ) -> Option<&'a Self> {
        let gates = gates.iter().filter(|it| it.bucket.holds(app, developer));
        let longest = gates.max_by_key(|gate| gate.remaining(now));
        longest.filter(|gate| !gate.remaining(now).is_zero())
    }

    /// Both answers together: the later end, and since when there has been any. A shorter wait does not
    /// cut a longer one short.
    #[must_use]
    pub fn and(&self, other: &Self, now: &Moment) -> Self {
        let longer = if other.remaining(now) > self.remaining(now) {
            other
        } else {
            self
        };
        Self {
            since: self.since.min(other.since),
            ..longer.clone()
        }
    }

    /// The same end as this machine counts it: from here on its wall clock may jump.
    #[must_use]
    pub fn rebased(self, now: &Moment) -> Self {
        if self.until.boot == now.boot {
            return self;
        }
        let left = Deadline::after(now, self.remaining(now));
        // What was set is still what was set.
        let span = self.until.span;
        Self {
            until: Deadline { span, ..left },
            ..self
        }
    }

    /// Whether it ended so long ago that nobody has to try it.
    pub fn is_forgotten(&self, now: &Moment) -> bool {
        let ago = if self.until.boot == now.boot {
            now.uptime.since(self.until.uptime)
        } else {
            now.wall.since(self.until.wall)
        };
        ago >= FORGOTTEN
    }
}
