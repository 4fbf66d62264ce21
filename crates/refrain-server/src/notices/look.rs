//! Looking for what there is to tell, and writing it down.

use std::{sync::Arc, time::Duration};

use refrain::{
    Error,
    notice::{Message, Target, delivery::KEPT, due},
    store::{Noted, Telling},
    time::{UnixMillis, Uptime},
};

use super::{LOOK, Notices};
use crate::server::Shared;

/// So many grants are looked at together.
const PAGE: u32 = 200;
/// How often what is older than a month is forgotten.
const FORGET: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn run(notices: Arc<Notices>, shared: Arc<Shared>) {
    let mut stop = shared.stopping();
    let mut looker = Looker {
        notices,
        shared: Arc::clone(&shared),
        settled: false,
        forgot: None,
    };
    let mut silent = false;
    loop {
        match looker.look().await {
            Ok(()) => silent = false,
            // Once: whoever looks every five seconds would fill the log.
            Err(error) if !silent => {
                silent = true;
                let code = error.code();
                tracing::warn!(code, "it is not known whether there is something to tell");
            }
            Err(_) => {}
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = shared.clock().sleep(LOOK) => {}
        }
    }
}

struct Looker {
    notices: Arc<Notices>,
    shared: Arc<Shared>,
    /// Whether other places than those of the configuration are forgotten.
    settled: bool,
    forgot: Option<Uptime>,
}

impl Looker {
    async fn look(&mut self) -> Result<(), Error> {
        self.clear_up().await?;
        let (store, now) = (self.store(), self.shared.clock().wall());
        let since = store.notices_since(now).await?;
        let mut after = None;
        let mut to = None;
        loop {
            let page = store.news(now, after.as_ref(), PAGE).await?;
            let (last, count) = (page.last(), page.len());
            after = last.map(|noted| match noted {
                Ok(noted) => noted.row.name.clone(),
                Err(unreadable) => unreadable.name.clone(),
            });
            let mut noted = Vec::with_capacity(count);
            for grant in page {
                match grant {
                    Ok(grant) => noted.push(grant),
                    Err(grant) => {
                        let (name, code) = (grant.name, grant.why.code());
                        tracing::debug!(grant = %name, code, "nothing can be told of a grant");
                    }
                }
            }
            if !noted.is_empty() {
                let to = match &mut to {
                    Some(to) => to,
                    None => to.insert(self.targets().await?),
                };
                self.tell(&noted, to, since, now).await?;
            }
            if count < PAGE as usize || self.shared.is_stopping() {
                return Ok(());
            }
        }
    }

    /// Where messages go: to all places of the configuration that have not refused them.
    async fn targets(&self) -> Result<Vec<Target>, Error> {
        let refused = self.store().refused_notices().await?;
        let mut targets = self.notices.targets();
        targets.retain(|target| !refused.contains(&target.id));
        Ok(targets)
    }

    async fn tell(
        &self,
        noted: &[Noted],
        to: &[Target],
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let random = self.shared.refrain().parts().random.as_ref();
        let mut tellings = Vec::with_capacity(noted.len());
        for noted in noted {
            let told = noted.told.as_ref().map(|told| &told.value);
            let due = due(&noted.row, told, since, now);
            let about = |news| Message::about(&noted.row, news, now, random);
            let messages = due.news.iter().copied().map(about);
            let messages = messages.collect::<Result<_, _>>()?;
            tellings.push(Telling::of(noted, &due, messages));
        }
        let done = self.store().tell(&tellings, to).await?;
        let told = tellings.iter().zip(done).filter(|(_, done)| *done);
        let messages: Vec<_> = told.flat_map(|(telling, _)| &telling.messages).collect();
        for message in &messages {
            let (kind, id) = (message.kind.word(), &message.id);
            let grant = message.grant.as_ref().map(|(_, name)| name.as_str());
            tracing::info!(kind, grant, message = %id, "told of a grant");
            self.shared.metrics().noticed(message.kind);
        }
        if !messages.is_empty() {
            self.notices.wake();
        }
        Ok(())
    }

    /// Forgets what was meant for places that the configuration has not any more, once; and what is old.
    async fn clear_up(&mut self) -> Result<(), Error> {
        if !self.settled {
            let dropped = self.store().keep_targets(&self.notices.targets()).await?;
            if dropped > 0 {
                let what = "deliveries to places that are not in the configuration any more";
                tracing::warn!(dropped, "dropped: {what}");
            }
            self.settled = true;
        }
        let clock = self.shared.clock();
        let now = clock.uptime();
        if self.forgot.is_none_or(|at| now.since(at) >= FORGET) {
            let kept = clock.wall().before(KEPT);
            self.store().forget_notices(kept).await?;
            self.forgot = Some(now);
        }
        Ok(())
    }

    fn store(&self) -> &Arc<dyn refrain::store::Store> {
        &self.shared.refrain().parts().store
    }
}
