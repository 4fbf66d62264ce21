//! What somebody who is known asks for, by JSON or by a form: who it is, and how it is carried out and noted.

use refrain::{Error, Grant, Refrain};
use tracing::Instrument as _;

use crate::{
    audit::{Action, Subject},
    caller::Caller,
    connection::Connection,
    fault::Fault,
    request_id::RequestId,
    server::Shared,
};

/// A request of somebody who is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errand<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) connection: &'a Connection,
    pub(crate) id: &'a RequestId<'a>,
}

impl<'a> Errand<'a> {
    pub(crate) fn shared(&self) -> &'a Shared {
        self.connection.shared()
    }

    /// The grant of a name, if the caller reaches it.
    pub(crate) fn grant(&self, name: &str) -> Result<Grant, Fault> {
        self.caller.grant_in_path(name, self.shared())
    }

    /// Asks the library, where it outlives this connection.
    pub(crate) async fn ask<T, F>(
        &self,
        work: impl FnOnce(Refrain) -> F,
    ) -> Result<Result<T, Error>, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let asking = work(self.shared().refrain().clone());
        let asking = asking.instrument(self.id.span());
        self.shared().at_home(asking).await
    }

    /// The same, where there is nothing to be noted about it.
    pub(crate) async fn read<T, F>(&self, work: impl FnOnce(Refrain) -> F) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.ask(work).await?.map_err(|error| self.fault(&error))
    }

    /// An error of the library; what is wrong with a grant is nothing about the caller's credentials.
    pub(crate) fn fault(&self, error: &Error) -> Fault {
        self.shared().fault(error).about_a_grant()
    }

    /// Notes what was done, or tried.
    pub(crate) fn note<T>(&self, action: Action, subject: Subject, result: &Result<T, Error>) {
        let result = result.as_ref().map_or_else(Error::code, |_| "done");
        let shared = self.shared();
        let told = (result, self.id.text(), shared.clock().wall());
        let caller = self.caller.name();
        shared.audit().note(action, caller, subject, told);
    }
}
