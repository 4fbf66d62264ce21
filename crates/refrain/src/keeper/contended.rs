//! Writing again after a conflict.
//!
//! Mostly there is a newer version then, and the next write is for that one. An engine may also answer so while
//! somebody has the row locked and changes nothing that a version counts: whoever writes again at once finds it
//! locked again, as often as the time allows.

use std::time::Duration;

use crate::{keeper::Keeper, store::Version};

/// How long to wait for a row that is locked; whoever has it locked is in the middle of a short transaction.
const PAUSE: Duration = Duration::from_millis(10);

/// The version on which the last write has met a conflict.
#[derive(Debug, Default)]
pub(super) struct Contended(Option<Version>);

impl Contended {
    /// There was a conflict.
    pub(super) fn on(&mut self, version: Version) {
        self.0 = Some(version);
    }
}

impl Keeper {
    /// Waits a moment where the version that was read now is the one on which there was a conflict.
    pub(super) async fn give_way(&self, contended: &mut Contended, read: Version) {
        if contended.0.take() == Some(read) {
            self.parts.clock.sleep(self.jittered(PAUSE)).await;
        }
    }
}
