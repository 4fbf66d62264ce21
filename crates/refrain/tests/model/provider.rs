//! The provider: what it does with a refresh token that it has seen before.

use crate::row::{NONE, OLD, TOKENS, Token, bit};

/// What happens to a refresh token when it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It stays; the answer holds none, an empty one or the same.
    Static,
    /// Replaced; the one before is accepted for some ticks, and kills all after that.
    Grace(u8),
    /// Replaced; the one before is refused.
    Strict,
    /// Replaced; the one before kills all.
    FamilyKill,
    /// Replaced; the one before works until its successor was used, and a repetition withdraws that.
    UntilUsed,
}

/// The refresh tokens of one login. Older ones than `before` are known and never accepted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Provider {
    /// The newest; with a grace more than one.
    pub(crate) newest: u16,
    /// The one that the newest were given for, while it is accepted.
    pub(crate) before: Token,
    /// How long ago it was first used.
    pub(crate) age: u8,
    /// How many there were.
    pub(crate) minted: u8,
    /// Whether a replay has ended all.
    pub(crate) killed: bool,
    /// How many requests were granted, as long as there was no fault.
    pub(crate) grants: u8,
}

/// Its answer, as it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Granted(Token),
    Refused,
}

impl Mode {
    pub(crate) const ALL: [Self; 6] = [
        Self::Static,
        Self::Grace(1),
        Self::Grace(4),
        Self::Strict,
        Self::FamilyKill,
        Self::UntilUsed,
    ];

    pub(crate) fn rotates(self) -> bool {
        self != Self::Static
    }
}

impl Provider {
    /// After a login.
    pub(crate) fn new() -> Self {
        Self {
            newest: bit(0),
            before: NONE,
            age: 0,
            minted: 1,
            killed: false,
            grants: 0,
        }
    }

    /// The tokens that would be granted now, as a set.
    pub(crate) fn accepted(self) -> u16 {
        self.newest | bit(self.before)
    }

    /// Whether another token can be told apart.
    pub(crate) fn is_full(self) -> bool {
        self.minted >= TOKENS
    }

    /// Acts on a presentation.
    pub(crate) fn present(&mut self, mode: Mode, token: Token) -> Verdict {
        if token == OLD {
            return Verdict::Granted(if mode.rotates() { OLD } else { NONE });
        }
        if self.accepted() & bit(token) == 0 {
            if matches!(mode, Mode::FamilyKill | Mode::Grace(_)) {
                self.killed = true;
                self.newest = 0;
                self.forget_before();
            }
            return Verdict::Refused;
        }
        if mode == Mode::Static {
            return Verdict::Granted(NONE);
        }
        let (new, first) = (self.minted, self.newest & bit(token) != 0);
        self.minted += 1;
        if first {
            let kept = matches!(mode, Mode::Grace(_) | Mode::UntilUsed);
            self.before = if kept { token } else { NONE };
            self.age = 0;
        }
        let siblings = if first || mode == Mode::UntilUsed {
            0
        } else {
            self.newest
        };
        self.newest = siblings | bit(new);
        Verdict::Granted(new)
    }

    /// The access token that came with this refresh token is used.
    pub(crate) fn used(&mut self, link: Token) {
        if self.newest & bit(link) != 0 {
            self.forget_before();
        }
    }

    /// A tick passes.
    pub(crate) fn tick(&mut self, mode: Mode) {
        if let (Mode::Grace(ticks), false) = (mode, self.before == NONE) {
            self.age += 1;
            if self.age >= ticks {
                self.forget_before();
            }
        }
    }

    fn forget_before(&mut self) {
        self.before = NONE;
        self.age = 0;
    }
}
