//! How many grants an app has, about: what the breaker's threshold is measured by.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::Mutex;

use crate::{id::AppName, keeper::Keeper, lifecycle::app::COUNTED, time::Uptime};

/// For so long a number is good enough: in an incident every grant is refused within minutes.
const GOOD: Duration = Duration::from_secs(60);

/// The last number of each app, and when it was asked for. Held by whoever counts: the others wait for
/// what he finds.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<AppName, (Uptime, usize)>>);

impl Keeper {
    /// How many grants of an app are signed in, as far as it matters. None where the store does not say:
    /// a refusal is judged all the same, and then the breaker opens sooner rather than later.
    pub(super) async fn grants_of(&self, app: &AppName) -> usize {
        let mut counts = self.counts.0.lock().await;
        let now = self.parts.clock.uptime();
        if let Some((at, grants)) = counts.get(app)
            && now.since(*at) < GOOD
        {
            return *grants;
        }
        let most = u32::try_from(COUNTED).unwrap_or(u32::MAX);
        let grants = match self.parts.store.count(app, most).await {
            Ok(grants) => grants,
            Err(error) => {
                tracing::warn!(%app, code = error.code(), "the grants of an app could not be counted");
                0
            }
        };
        counts.insert(app.clone(), (now, grants));
        grants
    }
}
