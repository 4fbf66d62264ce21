//! The durable row, as far as the protocol looks at it.
//!
//! Numbers that only ever are compared are left out. Of fences the protocol asks one thing: whether a
//! ticket's is the row's; that bit is in the ticket. Times are ages in ticks, so that the same
//! situation an hour later is the same state.

/// A refresh token of the present login; the first is 0.
pub(crate) type Token = u8;
/// No token.
pub(crate) const NONE: Token = 15;
/// Any token of a login that has ended.
pub(crate) const OLD: Token = 14;
/// So many tokens a login may see.
pub(crate) const TOKENS: u8 = 13;
/// So many late answers a row can hold here.
pub(crate) const CANDIDATES: usize = 5;

/// Where the grant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Status {
    Active,
    Suspect { refusals: u8, due: bool },
    Reauthorize(Reason),
    SignedOut,
}

/// Why a new login is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    Revoked,
    AnswerLost,
}

/// What is known of presentations that were not answered properly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Doubt {
    Nothing,
    Fault,
    Missing,
}

/// The lease and write-ahead record. `dead`: its owner has crashed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Intent {
    pub(crate) owner: u8,
    pub(crate) dead: bool,
    pub(crate) age: u8,
}

/// A refresh token that stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Candidate {
    pub(crate) presented: u8,
    pub(crate) token: Token,
    pub(crate) standing: Standing,
}

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    Untried,
    SetAside,
    Refused,
}

/// What was current, the last first; then late answers, oldest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Candidates([Option<Candidate>; CANDIDATES]);

impl Candidates {
    pub(crate) fn from_vec(list: &[Candidate]) -> Self {
        let mut slots = [None; CANDIDATES];
        for (slot, candidate) in slots.iter_mut().zip(list) {
            *slot = Some(*candidate);
        }
        Self(slots)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Candidate> {
        self.0.iter().flatten()
    }

    /// The one in a place.
    pub(crate) fn at(&self, place: usize) -> Candidate {
        self.0[place].unwrap()
    }

    /// Whether one more has a place.
    pub(crate) fn has_room(&self) -> bool {
        self.0[CANDIDATES - 1].is_none()
    }

    /// The list changed by way of a vector.
    #[must_use]
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Vec<Candidate>)) -> Self {
        let mut list = self.iter().copied().collect();
        change(&mut list);
        Self::from_vec(&list)
    }
}

/// One grant. `access` names the refresh token that the access token came with; `resealed`, that the
/// refresh token was a candidate once and is sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Row {
    pub(crate) epoch: u8,
    pub(crate) generation: u8,
    pub(crate) minting: u8,
    pub(crate) status: Status,
    pub(crate) refresh: Token,
    pub(crate) access: Token,
    pub(crate) resealed: bool,
    pub(crate) intent: Option<Intent>,
    pub(crate) candidates: Candidates,
    pub(crate) unanswered: Doubt,
    pub(crate) backing_off: bool,
}

impl Row {
    /// A grant just logged in.
    pub(crate) fn logged_in(epoch: u8) -> Self {
        Self {
            status: Status::Active,
            refresh: 0,
            access: 0,
            ..Self::signed_out(epoch)
        }
    }

    /// A grant without a token.
    pub(crate) fn signed_out(epoch: u8) -> Self {
        Self {
            epoch,
            generation: 0,
            minting: 0,
            status: Status::SignedOut,
            refresh: NONE,
            access: NONE,
            resealed: false,
            intent: None,
            candidates: Candidates::default(),
            unanswered: Doubt::Nothing,
            backing_off: false,
        }
    }

    /// The tokens in it, as a set.
    pub(crate) fn tokens(&self) -> u16 {
        let late = self.candidates.iter().map(|it| bit(it.token));
        late.fold(bit(self.refresh), |all, one| all | one)
    }

    /// What must never go backwards.
    pub(crate) fn counters(&self) -> (u8, u8, u8) {
        (self.epoch, self.generation, self.minting)
    }
}

/// The tokens of this login that were given out after this one, as a set.
pub(crate) fn later_than(token: Token) -> u16 {
    ((1 << TOKENS) - 1) & !((bit(token) << 1).wrapping_sub(1))
}

/// A token as a set of one; the empty set for those that are none of this login.
pub(crate) fn bit(token: Token) -> u16 {
    if token < TOKENS { 1 << token } else { 0 }
}
