//! Everything that a state of the model consists of.

use crate::{
    provider::Provider,
    row::{Candidate, Doubt, NONE, Row, Standing, Token, bit},
    rules::{self, Minted, Ticket},
};

/// What a process is doing about the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// Nothing.
    Idle,
    /// It wants a token, and reads the row again.
    Flight,
    /// Its intent is durable.
    Armed,
    /// Connected; the intent was still its own and enough of the lease was left.
    Checked,
    /// It has presented and waits for this.
    Waiting(Reply),
    /// The answer is in its memory alone. `written`: how it was written with unknown outcome.
    Holding { minted: Minted, written: Written },
    /// Its token was refused; whether by the provider's own reckoning.
    Refused { authentic: bool },
    /// The tries are used up; the intent is to be given back.
    GivingUp,
    /// The store failed; the intent is to be given back as far as possible.
    LettingGo,
    /// Its answer is durable, and not published yet.
    Committed(Live),
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reply {
    OnWay,
    Granted(Token),
    Refused { authentic: bool },
    Fault,
}

/// What became of a write whose outcome is unknown to the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Written {
    No,
    AsCurrent,
    AsLate,
}

/// An access token in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Live {
    pub(crate) epoch: u8,
    pub(crate) minting: u8,
    pub(crate) link: Token,
}

/// One process. What is not needed in a step has its first value there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and a state is compared bit by bit"
)]
pub(crate) struct Node {
    /// Stopped, or cut off from the store: time passes and it does nothing.
    pub(crate) stuck: bool,
    pub(crate) step: Step,
    /// A person asked for this refresh.
    pub(crate) asked: bool,
    /// The epoch and minting that are to be surpassed.
    pub(crate) goal: (u8, u8),
    /// Presentations of this refresh.
    pub(crate) presented: u8,
    /// Tries under this ticket.
    pub(crate) attempt: u8,
    /// What came of them.
    pub(crate) before: Doubt,
    pub(crate) ticket: Ticket,
    /// What it presents.
    pub(crate) token: Token,
    /// Ticks since the ticket, on its own clock.
    pub(crate) elapsed: u8,
    /// A tick has passed since it presented; a call does not last for two.
    pub(crate) waited: bool,
    /// It was stuck between its check and its request.
    pub(crate) woken: bool,
    /// The newest login or logout it knows.
    pub(crate) begun: u8,
    pub(crate) live: Option<Live>,
}

/// A request whose sender no longer waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stray(pub(crate) Token);

/// What may still happen; a whole run has this much of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Left {
    pub(crate) crashes: u8,
    pub(crate) pauses: u8,
    pub(crate) logouts: u8,
    pub(crate) logins: u8,
    /// Requests and answers that are lost, late, damaged or replaced by a fault.
    pub(crate) lost: u8,
    /// Writes that fail, or whose outcome is unknown.
    pub(crate) store: u8,
    /// Refusals without a reason.
    pub(crate) lies: u8,
    /// Lost requests that reach the provider after all.
    pub(crate) strays: u8,
    /// Refreshes that a person asks for.
    pub(crate) asks: u8,
    /// All of the above together.
    pub(crate) total: u8,
}

/// One state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State {
    pub(crate) row: Row,
    pub(crate) nodes: [Node; 2],
    pub(crate) provider: Provider,
    pub(crate) stray: Option<Stray>,
    pub(crate) left: Left,
    /// Refresh tokens that a client has received and no crash has taken.
    pub(crate) known: u16,
    /// Presentations of superseded tokens.
    pub(crate) superseded: u8,
    /// Promises broken by the step that led here, as bits.
    pub(crate) broken: u16,
}

impl Node {
    pub(crate) fn new() -> Self {
        let ticket = Ticket {
            epoch: 0,
            generation: 0,
            minting: 0,
            current: false,
        };
        Self {
            stuck: false,
            step: Step::Idle,
            asked: false,
            goal: (0, 0),
            presented: 0,
            attempt: 0,
            before: Doubt::Nothing,
            ticket,
            token: NONE,
            elapsed: 0,
            waited: false,
            woken: false,
            begun: 0,
            live: None,
        }
    }

    /// The refresh is over: what it knew is forgotten.
    pub(crate) fn land(&mut self) {
        *self = Self {
            begun: self.begun,
            live: self.live,
            ..Self::new()
        };
    }

    /// Reads the row again, after a presentation that did not end the refresh.
    pub(crate) fn again(&mut self) {
        let (asked, goal, presented) = (self.asked, self.goal, self.presented + 1);
        self.land();
        self.step = Step::Flight;
        (self.asked, self.goal, self.presented) = (asked, goal, presented);
    }

    /// The refresh token in its memory alone, as a set.
    pub(crate) fn holds(&self) -> u16 {
        match self.step {
            Step::Holding { minted, .. } => minted.replaced.map_or(0, bit),
            _ => 0,
        }
    }

    /// What takes no time, measured in ticks, has to happen before time goes on.
    pub(crate) fn lets_time_pass(&self) -> bool {
        match self.step {
            // A request that takes longer than a call is one whose sender has gone; see `Stray`.
            Step::Waiting(Reply::OnWay) => !self.waited,
            _ if self.stuck => true,
            Step::Idle | Step::Flight | Step::Armed => true,
            Step::Waiting(_) => !self.waited,
            _ => false,
        }
    }

    pub(crate) fn lets_hours_pass(&self) -> bool {
        match self.step {
            Step::Waiting(Reply::OnWay) => false,
            step => self.stuck || step == Step::Idle,
        }
    }

    pub(crate) fn is_presenting(&self) -> bool {
        matches!(self.step, Step::Checked | Step::Waiting(_))
    }
}

impl State {
    pub(crate) fn new(left: Left) -> Self {
        Self {
            row: Row::logged_in(0),
            nodes: [Node::new(); 2],
            provider: Provider::new(),
            stray: None,
            left,
            known: bit(0),
            superseded: 0,
            broken: 0,
        }
    }

    /// The refresh tokens that the clients have, as a set.
    pub(crate) fn held(&self) -> u16 {
        self.row.tokens() | self.nodes[0].holds() | self.nodes[1].holds()
    }

    /// Those of them that are ever tried by themselves.
    pub(crate) fn usable(&self) -> u16 {
        let row = &self.row;
        let tried =
            |it: &&Candidate| it.standing == Standing::SetAside || rules::worth_trying(row, **it);
        let late = row.candidates.iter().filter(tried);
        let late = late.fold(bit(self.row.refresh), |all, it| all | bit(it.token));
        late | self.nodes[0].holds() | self.nodes[1].holds()
    }

    /// Forgets what can make no difference any more.
    pub(crate) fn condense(&mut self) {
        let (epoch, counters) = (self.row.epoch, (self.row.epoch, self.row.minting));
        let provider = self.provider;
        // Using an access token changes something where it makes its predecessor's token useless.
        let matters = |link| provider.newest & bit(link) != 0 && provider.before != NONE;
        for it in &mut self.nodes {
            let known = |live: &Live| live.epoch == epoch && (live.epoch, live.minting) <= counters;
            let spent = |live: &Live| known(live) && it.begun == epoch && !matters(live.link);
            it.live = it.live.filter(|live| !spent(live));
            if it.step == Step::Idle && it.live.is_none() {
                it.begun = epoch;
            }
            let timeless = matches!(
                it.step,
                Step::Holding { .. } | Step::Refused { .. } | Step::Committed(_) | Step::LettingGo
            );
            if timeless {
                (it.elapsed, it.attempt, it.waited) = (0, 0, false);
            }
        }
    }

    /// The two processes differ in nothing but their names.
    pub(crate) fn representative(&self) -> Self {
        let mut other = *self;
        other.nodes.swap(0, 1);
        if let Some(intent) = &mut other.row.intent {
            intent.owner = 1 - intent.owner;
        }
        other.min(*self)
    }
}

impl Left {
    pub(crate) const fn none() -> Self {
        Self {
            crashes: 0,
            pauses: 0,
            logouts: 0,
            logins: 0,
            lost: 0,
            store: 0,
            lies: 0,
            strays: 0,
            asks: 0,
            total: 0,
        }
    }
}
