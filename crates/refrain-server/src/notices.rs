//! Telling of grants without being asked: webhooks, and a program of this machine.
//!
//! One task looks for what there is to tell and writes it down, with a delivery for each place ([`look`]); one
//! for each place takes deliveries that are due and carries them out ([`deliver`]), by [`webhook`] or
//! [`command`]. Nothing is told that is not in the store first, so a server that dies leaves nothing out, and of
//! several on one store each message is made by one and delivered by one at a time. It may arrive twice: its
//! name says so.

mod command;
mod deliver;
mod look;
mod webhook;

use std::{sync::Arc, time::Duration};

use refrain::{
    Refrain, config,
    notice::{Delivery, Message, Target, TargetId},
    seal::Sealer,
    store::StoreError,
    time::Clock,
    transport::dial::{Dialer, Versions},
};
use tokio::{sync::Notify, task::JoinSet, time};

use self::{command::Program, webhook::Hook};
use crate::server::{Shared, StartError};

/// How often the store is asked whether there is something to tell, or to deliver: each is one question that an
/// index answers.
const LOOK: Duration = Duration::from_secs(5);

/// Who is told.
#[derive(Debug)]
pub(crate) struct Notices {
    places: Vec<Arc<Place>>,
}

/// A place that messages go to.
#[derive(Debug)]
struct Place {
    target: Target,
    way: Way,
    /// There may be something to deliver.
    news: Notify,
}

#[derive(Debug)]
enum Way {
    Webhook(Hook),
    Command(Program),
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tried {
    /// It has arrived.
    Arrived(String),
    /// The other side wants no more, ever.
    Refused(String),
    /// It is to be tried again, not before what the other side asks for.
    Failed(String, Option<Duration>),
}

impl Notices {
    /// # Errors
    /// Where no connection could ever be made.
    pub(crate) fn new(
        settings: &config::Notices,
        network: &config::Network,
        sealer: &Sealer,
    ) -> Result<Self, StartError> {
        let mut places = Vec::new();
        if !settings.webhooks.is_empty() {
            let dialer = Dialer::new(network, Versions::Http1).map_err(StartError::Dialer)?;
            let dialer = Arc::new(dialer);
            for url in &settings.webhooks {
                let id = TargetId::of(url.expose().as_str(), sealer);
                let hook = Hook::new(url.clone(), &settings.secrets, Arc::clone(&dialer));
                places.push(Place::new(id, url.to_string(), Way::Webhook(hook)));
            }
        }
        if let Some(program) = Program::new(&settings.command) {
            // No part of a command has a space in it.
            let id = TargetId::of(&settings.command.join(" "), sealer);
            places.push(Place::new(id, "command".to_owned(), Way::Command(program)));
        }
        Ok(Self { places })
    }

    /// Whether nobody is told.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Where messages go.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let targets = self.places.iter();
        targets.map(|place| place.target.clone()).collect()
    }

    /// Begins to look and to deliver, until the server is to stop.
    pub(crate) fn start(self: &Arc<Self>, shared: &Arc<Shared>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(look::run(Arc::clone(self), Arc::clone(shared)));
        for place in &self.places {
            tasks.spawn(deliver::run(Arc::clone(place), Arc::clone(shared)));
        }
        tasks
    }

    /// Sends a message about no grant to every place.
    pub(crate) async fn send(
        &self,
        refrain: &Refrain,
        message: &Message,
    ) -> Result<(), StoreError> {
        let store = &refrain.parts().store;
        store.send(message, &self.targets()).await?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        for place in &self.places {
            place.news.notify_one();
        }
    }
}

impl Place {
    fn new(id: TargetId, place: String, way: Way) -> Arc<Self> {
        let target = Target { id, place };
        let news = Notify::new();
        Arc::new(Self { target, way, news })
    }

    async fn tell(&self, delivery: &Delivery, clock: &dyn Clock) -> Tried {
        match &self.way {
            Way::Webhook(hook) => hook.post(delivery, clock).await,
            Way::Command(program) => program.run(delivery, clock).await,
        }
    }
}

/// Waits for what is under way, so long at most; what is cut off then is delivered again.
pub(crate) async fn finish(mut tasks: JoinSet<()>, most: Duration) {
    let ended = async { while tasks.join_next().await.is_some() {} };
    if time::timeout(most, ended).await.is_err() {
        tasks.shutdown().await;
    }
}
