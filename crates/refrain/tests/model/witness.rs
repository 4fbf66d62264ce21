//! That nothing is vacuous: what must have happened somewhere in a run.
//!
//! A witness is noted when its step is taken, not kept in the state: kept there, it would split every
//! state that follows in two. So the checker can say that it has happened, and not by which path.

use std::sync::atomic::{AtomicU32, Ordering};

use stateright::Property;

use crate::{protocol::Protocol, provider::Mode};

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen(AtomicU32);

impl Seen {
    pub(crate) fn note(&self, witness: Witness) {
        let bit = 1 << witness as u32;
        // Read first: written once and read a million times, the line stays shared.
        if self.0.load(Ordering::Relaxed) & bit == 0 {
            self.0.fetch_or(bit, Ordering::Relaxed);
        }
    }

    fn has(&self, witness: Witness) -> bool {
        self.0.load(Ordering::Relaxed) & (1 << witness as u32) != 0
    }
}

macro_rules! witnesses {
    ($($witness:ident: $name:literal,)*) => {
        /// What may be seen to happen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Witness {
            $(#[doc = $name] $witness,)*
        }

        fn table() -> Vec<(Witness, Property<Protocol>)> {
            vec![$((
                Witness::$witness,
                Property::sometimes($name, |model: &Protocol, _| model.seen.has(Witness::$witness)),
            ),)*]
        }
    };
}

witnesses! {
    Recovered: "a refresh after a lost answer succeeds",
    LogoutBeatsRefresh: "logout beats a refresh in flight",
    LoginBeatsRefresh: "a new login beats a refresh in flight",
    TakenOver: "an intent is taken over after its lease",
    TakenFromTheDead: "an intent of a dead process is taken over at once",
    PausedPresents: "a paused holder presents after a takeover",
    ReadBack: "a write of unknown outcome is read back",
    Adopted: "another process's refresh is adopted",
    LieSurvived: "a refusal without a reason is survived",
    LateIsCurrent: "a late answer becomes current",
    LateIsCandidate: "a late answer is kept as a candidate",
    SuccessorPromoted: "a candidate is promoted before its predecessor is presented again",
    StrayServed: "a lost request reaches the provider late",
    PromotedOnRefusal: "a candidate is promoted on a refusal",
    CameBack: "what was set aside comes back",
    Unavoidable: "a loss that nobody can avoid",
    GivenUp: "a grant is given up",
}

/// Whether every run in this mode has to show it.
fn is_expected(witness: Witness, mode: Mode, mishaps: u8) -> bool {
    use Witness as W;
    match witness {
        W::LateIsCurrent | W::LateIsCandidate | W::SuccessorPromoted | W::StrayServed => {
            mode.rotates()
        }
        W::PromotedOnRefusal => matches!(mode, Mode::Strict | Mode::UntilUsed),
        // Lies as deep as nothing else.
        W::CameBack => mode.rotates() && mishaps > 1,
        W::Unavoidable | W::GivenUp => matches!(mode, Mode::Strict | Mode::FamilyKill),
        _ => true,
    }
}

/// Those that a run in this mode has to show, as properties.
pub(crate) fn properties(mode: Mode, mishaps: u8) -> Vec<Property<Protocol>> {
    let expected = table()
        .into_iter()
        .filter(|(witness, _)| is_expected(*witness, mode, mishaps));
    expected.map(|(_, property)| property).collect()
}
