//! Looking for what there is to tell, and writing it down.

use std::{sync::Arc, time::Duration};

use refrain::{
    Error,
    notice::{
        Message, Target,
        delivery::{GONE, KEPT, NAMED, NAMING},
        due,
    },
    store::{Noted, Telling},
    time::{UnixMillis, Uptime},
};

use super::{LOOK, Notices};
use crate::server::Shared;

/// So many grants are looked at together.
const PAGE: u32 = 200;
/// One that cannot be read is looked at again after this.
const UNREADABLE: Duration = Duration::from_secs(60 * 60);
/// How often what is older than a month is forgotten.
const FORGET: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) async fn run(notices: Arc<Notices>, shared: Arc<Shared>) {
    let mut stop = shared.stopping();
    let mut looker = Looker {
        notices,
        shared: Arc::clone(&shared),
        named: None,
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
    /// When it was said last where messages go.
    named: Option<Uptime>,
    forgot: Option<Uptime>,
}

impl Looker {
    async fn look(&mut self) -> Result<(), Error> {
        self.clear_up().await?;
        if self.notices.is_empty() {
            return Ok(());
        }
        let (store, now) = (self.store(), self.shared.clock().wall());
        let since = store.notices_since(now).await?;
        let mut after = None;
        let mut to = None;
        loop {
            let page = store.news(now, after.as_ref(), PAGE).await?;
            let count = page.grants.len();
            after = page.last;
            let (mut noted, mut later) = (Vec::with_capacity(count), Vec::new());
            for grant in page.grants {
                match grant {
                    Ok(grant) => noted.push(grant),
                    Err(grant) => {
                        let (name, code) = (grant.name, grant.why.code());
                        tracing::debug!(grant = %name, code, "nothing can be told of a grant");
                        later.push(name);
                    }
                }
            }
            if !later.is_empty() {
                store.look_later(&later, now.after(UNREADABLE)).await?;
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

    /// Where messages go: to all places of the configuration, and of that of servers beside this one, that have
    /// not refused them.
    async fn targets(&self) -> Result<Vec<Target>, Error> {
        let refused = self.store().refused_notices().await?;
        let lately = self.shared.clock().wall().before(NAMED);
        let mut targets = self.notices.targets();
        for other in self.store().named_targets(lately).await? {
            if targets.iter().all(|target| target.id != other.id) {
                targets.push(other);
            }
        }
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

    /// Says where messages go; forgets what was meant for places that are in no configuration any more, and
    /// what is old.
    async fn clear_up(&mut self) -> Result<(), Error> {
        let clock = self.shared.clock();
        let (now, wall) = (clock.uptime(), clock.wall());
        if self.named.is_none_or(|at| now.since(at) >= NAMING) {
            let targets = self.notices.targets();
            if self.named.is_none() {
                self.store().forgive_notices(&targets).await?;
            }
            let gone = wall.before(GONE);
            let dropped = self.store().name_targets(&targets, wall, gone).await?;
            if dropped > 0 {
                let what = "deliveries to places that are in no server's configuration any more";
                tracing::warn!(dropped, "dropped: {what}");
            }
            self.named = Some(now);
        }
        if self.forgot.is_none_or(|at| now.since(at) >= FORGET) {
            self.store().forget_notices(wall.before(KEPT)).await?;
            self.forgot = Some(now);
        }
        Ok(())
    }

    fn store(&self) -> &Arc<dyn refrain::store::Store> {
        &self.shared.refrain().parts().store
    }
}
