//! Carries out one request, with what a fault makes of it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::accounts;
use crate::answer::{Answer, Inbound};
use crate::api;
use crate::fault::{Action, BodyKind};
use crate::history::EventKind;
use crate::inject;
use crate::service::{Context, Inner, Kind, Open};
use crate::wire::Disturbance;

/// How long a hanging answer hangs.
const HANG: Duration = Duration::from_mins(1);

/// A request with everything needed to process it.
pub(crate) struct Job {
    pub(crate) inner: Arc<Inner>,
    pub(crate) kind: Kind,
    pub(crate) request: Inbound,
    pub(crate) context: Context,
}

// === impl Job ===

impl Job {
    /// Processes the request, or not, as the fault says.
    pub(crate) async fn run(self, action: Option<Action>, open: Open) -> (Answer, Disturbance) {
        let mut disturbance = Disturbance::default();
        let answer = match action {
            None => self.process(),
            Some(Action::Delay { ms }) => {
                let sleep = tokio::time::sleep(Duration::from_millis(ms));
                return (self.process_after(sleep, open).await, disturbance);
            }
            Some(Action::Hold) => {
                let released = self.inner.hold(self.request.number);
                return (self.process_after(released, open).await, disturbance);
            }
            Some(Action::DelayAnswer { ms }) => {
                let answer = self.process();
                tokio::time::sleep(Duration::from_millis(ms)).await;
                answer
            }
            Some(Action::HoldAnswer) => {
                let answer = self.process();
                self.inner.hold(self.request.number).await;
                answer
            }
            Some(Action::CutAfterCommit) => {
                disturbance.cut_after = Some(0);
                self.process()
            }
            Some(Action::CutAfterBytes { n, reset }) => {
                disturbance.cut_after = Some(n);
                disturbance.reset = reset;
                self.process()
            }
            Some(Action::DripBytes { ms_per_byte }) => {
                disturbance.drip = Some(Duration::from_millis(ms_per_byte));
                self.process()
            }
            Some(Action::GzipBody) => inject::gzipped(self.process()),
            Some(Action::Alter { set, remove }) => inject::altered(self.process(), &set, &remove),
            Some(Action::ErrorAfterCommit { status }) => {
                self.process();
                inject::error(&self.kind, status, BodyKind::Json)
            }
            Some(action @ (Action::CutBeforeCommit | Action::ResetBeforeCommit)) => {
                disturbance.cut_after = Some(0);
                disturbance.reset = action == Action::ResetBeforeCommit;
                self.skip(0);
                Answer::empty(StatusCode::OK)
            }
            Some(Action::Hang) => {
                disturbance.cut_after = Some(0);
                self.skip(0);
                tokio::time::sleep(HANG).await;
                Answer::empty(StatusCode::OK)
            }
            Some(action) => {
                let wording = self.inner.world().profile.api401;
                let answer = inject::instead(&self.kind, &action, wording);
                self.skip(answer.status.as_u16());
                answer
            }
        };
        // Closed before the first byte is out: the client's next call is not concurrent with this.
        drop(open);
        (answer, disturbance)
    }

    /// Processes the request later, in a task of its own: a server goes on with what it has
    /// received, whether or not the client still waits.
    async fn process_after(
        self,
        turn: impl Future<Output = ()> + Send + 'static,
        open: Open,
    ) -> Answer {
        let late = tokio::spawn(async move {
            turn.await;
            let answer = self.process();
            drop(open);
            answer
        });
        late.await
            .unwrap_or_else(|_| Answer::empty(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn process(&self) -> Answer {
        let mut world = self.inner.world();
        match self.kind {
            Kind::Api => api::answer(&mut world, &self.request, &self.context),
            _ => accounts::answer(&mut world, &self.request, &self.context),
        }
    }

    /// Records that the request was not processed, and the status that is answered instead.
    fn skip(&self, status: u16) {
        let mut world = self.inner.world();
        let request = self.request.number;
        match &self.kind {
            Kind::Token(sight) => {
                let event = sight.clone().faulted(request, &self.context);
                world.record(event);
            }
            Kind::Api => api::record(&mut world, &self.request, &self.context, status),
            Kind::Revoke => world.record(EventKind::RevokeCall {
                request,
                status,
                grant: None,
            }),
            Kind::Page => {}
        }
    }
}
