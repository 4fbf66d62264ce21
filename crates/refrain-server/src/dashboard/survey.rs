//! What a glance over all grants tells: how many there are, and which of them need somebody.
//!
//! All of them have to be read for that, and there may be a million. So a look that took long is good for a
//! while; one that did not is taken each time, and whoever has just done something sees it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use refrain::{
    Error, Refrain, Summary,
    access::Grants,
    id::GrantName,
    store::Unreadable,
    time::{UnixMillis, Uptime},
};
use tokio::sync::Mutex;

use super::view::level::{Glance, Level};
use crate::manage::grants::name;

/// So many grants are read at once.
const READ: u32 = 500;
/// So many of those that need somebody are shown.
pub(super) const SHOWN: usize = 100;
/// A look that took longer than this
const LONG: Duration = Duration::from_millis(250);
/// is good for so long.
const GOOD: Duration = Duration::from_secs(60);

/// A grant as the store has it.
pub(super) type Read = Result<Summary, Unreadable>;

/// What was seen.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) levels: BTreeMap<Level, u64>,
    /// Those that need somebody, the most urgent first; not all of them where there are very many.
    pub(super) needy: Vec<(Read, Glance)>,
    /// When it was begun.
    pub(super) at: UnixMillis,
}

/// The last look that took long. One looks at a time: whoever comes meanwhile gets what that one has seen, if it
/// took long.
#[derive(Debug, Default)]
pub(crate) struct Lookout(Mutex<Option<(Uptime, Arc<Survey>)>>);

impl Lookout {
    /// Looks over all grants, or tells what was seen a moment ago where looking takes long.
    pub(super) async fn look(&self, refrain: &Refrain) -> Result<Arc<Survey>, Error> {
        let clock = &refrain.parts().clock;
        let mut last = self.0.lock().await;
        let begun = clock.uptime();
        let good = last.as_ref().filter(|(at, _)| begun.since(*at) < GOOD);
        if let Some((_, survey)) = good {
            return Ok(Arc::clone(survey));
        }
        let survey = Arc::new(Survey::of(refrain, clock.wall()).await?);
        let took_long = clock.uptime().since(begun) > LONG;
        *last = took_long.then(|| (begun, Arc::clone(&survey)));
        Ok(survey)
    }
}

impl Survey {
    /// Of no grants yet.
    pub(super) fn begun(at: UnixMillis) -> Self {
        Self {
            levels: BTreeMap::new(),
            needy: Vec::new(),
            at,
        }
    }

    async fn of(refrain: &Refrain, at: UnixMillis) -> Result<Self, Error> {
        let mut survey = Self::begun(at);
        let mut last: Option<GrantName> = None;
        loop {
            let page = refrain.page(&Grants::All, last.as_ref(), READ).await?;
            let all = page.len() < READ as usize;
            last = page.last().map(|read| name(read).clone());
            for read in page {
                survey.add(read);
            }
            if all {
                survey.sort();
                return Ok(survey);
            }
        }
    }

    /// Puts the most urgent first.
    pub(super) fn sort(&mut self) {
        self.needy.sort_by_key(|(_, glance)| glance.level);
    }

    /// Takes a grant into account.
    pub(super) fn add(&mut self, read: Read) {
        let glance = glance(&read, self.at);
        let count = self.levels.entry(glance.level).or_default();
        *count = count.saturating_add(1);
        // One that does not work has a place before one that still does.
        let room = self.needy.len() < SHOWN;
        if glance.level.needs_somebody() && !room {
            let later = self.needy.iter();
            let later = later
                .map(|(_, it)| it.level)
                .rposition(|it| it > glance.level);
            if let Some(later) = later {
                drop(self.needy.remove(later));
                self.needy.push((read, glance));
            }
        } else if glance.level.needs_somebody() {
            self.needy.push((read, glance));
        }
    }

    pub(super) fn count(&self, level: Level) -> u64 {
        self.levels.get(&level).copied().unwrap_or(0)
    }

    /// How many there are, signed out or not.
    pub(super) fn total(&self) -> u64 {
        self.levels.values().sum()
    }

    /// How many work.
    pub(super) fn working(&self) -> u64 {
        [Level::Soon, Level::Watched, Level::Well]
            .into_iter()
            .map(|level| self.count(level))
            .sum()
    }
}

/// What a glance tells of a grant, whether it can be read or not.
pub(super) fn glance(read: &Read, now: UnixMillis) -> Glance {
    match read {
        Ok(grant) => Glance::of(grant, now),
        Err(_) => Glance::unreadable(),
    }
}

/// A page of grants.
#[derive(Debug, Default)]
pub(super) struct Others {
    pub(super) found: Vec<(Read, Glance)>,
    /// Behind which grant there are more, or may be.
    pub(super) next: Option<GrantName>,
    /// Whether it ends because so many were read, and not because it is full.
    pub(super) tired: bool,
}

/// Those that need nobody, by name, behind one and with a part of a name in theirs: so many, and out of so many
/// that are read; where few are like that, whoever asks goes on from there.
pub(super) async fn others(
    refrain: &Refrain,
    mut after: Option<GrantName>,
    part: &str,
    (most, read_most): (usize, u32),
) -> Result<Others, Error> {
    let now = refrain.parts().clock.wall();
    let part = part.to_lowercase();
    let mut others = Others::default();
    let mut left = read_most;
    while left > 0 {
        let asked = left.min(READ);
        let page = refrain.page(&Grants::All, after.as_ref(), asked).await?;
        let all = page.len() < asked as usize;
        left = left.saturating_sub(asked);
        for read in page {
            let glance = glance(&read, now);
            let quiet = !glance.level.needs_somebody() || !part.is_empty();
            let fits = quiet && is_named(&read, &part);
            if fits && others.found.len() == most {
                others.next = after;
                return Ok(others);
            }
            after = Some(name(&read).clone());
            if fits {
                others.found.push((read, glance));
            }
        }
        if all {
            return Ok(others);
        }
    }
    (others.next, others.tired) = (after, true);
    Ok(others)
}

/// Whether a part of a name, in small letters, is in that of the grant, or of its user.
fn is_named(read: &Read, part: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(part);
    let account = read.as_ref().ok().and_then(|it| it.account.as_ref());
    has(name(read).as_str())
        || account.is_some_and(|it| has(&it.id) || it.display_name.as_deref().is_some_and(has))
}
