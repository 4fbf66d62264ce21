//! The way to a presentation: look at the row, arm, check, send.

use crate::{
    bug::Bug,
    promise::Broken,
    protocol::{Protocol, of_epoch},
    provider::Mode,
    row::{Doubt, Row, Standing, Status, later_than},
    rules::{Ask, Hold, LAPSED, TOO_LATE, Ticket},
    state::{Live, Node, Reply, State, Step},
    witness::Witness,
};

/// Presentations within one refresh.
const PRESENTED: u8 = 4;
/// Tries under one ticket.
const ATTEMPTS: u8 = 3;

impl Protocol {
    /// A new refresh notes what it wants to surpass.
    fn board(state: &mut State, node: usize, asked: bool) {
        let goal = (state.row.epoch, state.row.minting);
        let it = &mut state.nodes[node];
        if it.step == Step::Idle {
            it.step = Step::Flight;
            (it.asked, it.goal) = (asked, goal);
            if asked {
                state.left.asks -= 1;
                state.left.total -= 1;
            }
        }
    }

    pub(crate) fn look(&self, state: &mut State, node: usize, asked: bool) {
        Self::board(state, node, asked);
        let row = state.row;
        let published = self.publish(state, node, Live::of(&row), row.status);
        if !published {
            state.nodes[node].land();
            return;
        }
        let surpassed = (row.epoch, row.minting) > state.nodes[node].goal;
        if surpassed && !self.has(Bug::NeverAdopt) {
            self.seen.note(Witness::Adopted);
            state.nodes[node].land();
            return;
        }
        match self.may_arm(state, node) {
            Err(Hold::Held) => {}
            Err(_) => state.nodes[node].land(),
            Ok(_) if state.nodes[node].presented >= PRESENTED => state.nodes[node].land(),
            Ok(armed) => match self.rules_successor(&row) {
                Some(place) if !self.has(Bug::SkipSuccessor) => {
                    self.seen.note(Witness::SuccessorPromoted);
                    state.row = self.promote(&row, place);
                }
                _ => self.write_intent(state, node, armed),
            },
        }
    }

    fn may_arm(&self, state: &State, node: usize) -> Result<Row, Hold> {
        let mut row = state.row;
        if let (Some(intent), true) = (&mut row.intent, self.has(Bug::TakeOverAtOnce)) {
            intent.age = LAPSED;
        }
        let ask = Ask {
            node: u8::from(node == 1),
            asked: state.nodes[node].asked,
            knows_dead: true,
        };
        self.rules_arm(&row, ask)
    }

    fn write_intent(&self, state: &mut State, node: usize, armed: Row) {
        if let Some(before) = state.row.intent {
            if before.dead {
                self.seen.note(Witness::TakenFromTheDead);
            } else if usize::from(before.owner) != node {
                self.seen.note(Witness::TakenOver);
            }
        }
        let row = state.row;
        if !self.has(Bug::SkipIntent) {
            state.row = armed;
        }
        for it in &mut state.nodes {
            it.ticket.current = false;
        }
        let it = &mut state.nodes[node];
        it.step = Step::Armed;
        it.ticket = Ticket {
            epoch: row.epoch,
            generation: row.generation,
            minting: row.minting,
            current: true,
        };
        (it.token, it.attempt, it.before, it.elapsed) = (row.refresh, 0, Doubt::Nothing, 0);
    }

    /// Where a look would arm and nothing else.
    fn would_arm(&self, state: &mut State, node: usize) -> Option<Row> {
        Self::board(state, node, false);
        let (row, it) = (state.row, state.nodes[node]);
        let over = row.status == Status::SignedOut || (row.epoch, row.minting) > it.goal;
        if over || it.presented >= PRESENTED || self.rules_successor(&row).is_some() {
            return None;
        }
        self.may_arm(state, node).ok()
    }

    pub(crate) fn look_fails(&self, state: &mut State, node: usize, written: bool) -> Option<()> {
        let armed = self.would_arm(state, node)?;
        state.left.store -= 1;
        state.left.total -= 1;
        if written {
            self.write_intent(state, node, armed);
            state.nodes[node].step = Step::LettingGo;
        } else {
            state.nodes[node].land();
        }
        Some(())
    }

    pub(crate) fn look_slowly(&self, state: &mut State, node: usize) -> Option<()> {
        let armed = self.would_arm(state, node)?;
        state.left.pauses -= 1;
        state.left.total -= 1;
        self.write_intent(state, node, armed);
        if let Some(intent) = &mut state.row.intent {
            intent.age = LAPSED;
        }
        if !self.has(Bug::CountLate) {
            state.nodes[node].elapsed = TOO_LATE;
        }
        Some(())
    }

    pub(crate) fn check(&self, state: &mut State, node: usize) {
        let row = state.row;
        // A late answer may have come since the intent was written; its token is promoted then.
        let superseded = self.rules_successor(&row).is_some() && !self.has(Bug::OverlookSuccessor);
        let it = &mut state.nodes[node];
        let held = it.ticket.epoch == row.epoch && it.ticket.current;
        if it.elapsed >= TOO_LATE && !self.has(Bug::IgnoreLease) {
            it.step = Step::GivingUp;
        } else if self.has(Bug::SkipCheck) || held && !superseded {
            it.step = Step::Checked;
        } else {
            it.again();
        }
    }

    pub(crate) fn send(&self, state: &mut State, node: usize) {
        let (row, it, other) = (state.row, state.nodes[node], state.nodes[1 - node]);
        let own = |intent: crate::row::Intent| usize::from(intent.owner) == node && !intent.dead;
        let own = it.ticket.current && row.intent.is_some_and(own);
        if it.ticket.epoch == row.epoch {
            if !own && !it.woken {
                state.breaks(Broken::NoIntent);
            }
            if self.is_superseded(state, &it) {
                state.superseded += 1;
            }
            if it.woken && !own {
                self.seen.note(Witness::PausedPresents);
            }
        }
        let stopped =
            state.left.pauses < self.faults.pauses || state.left.store < self.faults.store;
        let same = other.ticket.epoch == it.ticket.epoch;
        if other.is_presenting() && same && !stopped {
            state.breaks(Broken::Together);
        }
        let it = &mut state.nodes[node];
        it.step = Step::Waiting(Reply::OnWay);
        (it.waited, it.woken) = (false, false);
    }

    /// Whether the row has a successor of what is presented: by the protocol's own numbers, and, where a
    /// token is good for one use, by what the provider would accept instead.
    fn is_superseded(&self, state: &State, it: &Node) -> bool {
        let row = &state.row;
        let late = row.candidates.iter();
        let mut late = late.filter(|it| it.standing == Standing::Untried);
        let late =
            late.any(|late| late.presented == it.ticket.generation && late.token != row.refresh);
        let accepted = state.provider.accepted();
        let spent = matches!(self.mode, Mode::Strict | Mode::FamilyKill)
            && accepted & row.tokens() & later_than(it.token) != 0;
        late || spent || row.generation > it.ticket.generation
    }

    pub(crate) fn not_sent(state: &mut State, node: usize) {
        state.left.lost -= 1;
        state.left.total -= 1;
        Self::next_try(state, node);
    }

    /// The next try under the same ticket, if there is one.
    pub(crate) fn next_try(state: &mut State, node: usize) {
        let it = &mut state.nodes[node];
        it.attempt += 1;
        (it.waited, it.woken) = (false, false);
        it.step = if it.attempt < ATTEMPTS {
            Step::Armed
        } else {
            Step::GivingUp
        };
    }

    /// Publishes what a row holds; answers `false` where the grant is signed out.
    pub(crate) fn publish(&self, state: &mut State, node: usize, live: Live, of: Status) -> bool {
        let it = &mut state.nodes[node];
        if live.epoch < it.begun && !self.has(Bug::PublishEnded) {
            return true;
        }
        it.begun = it.begun.max(live.epoch);
        it.live = it.live.filter(|held| held.epoch >= it.begun);
        if of == Status::SignedOut {
            return false;
        }
        let newer = |held: Live| (live.epoch, live.minting) > (held.epoch, held.minting);
        if it.live.is_none_or(newer) {
            it.live = Some(live);
        }
        true
    }

    /// A login or a logout ends what is under way: its tokens belong to no login any more.
    pub(crate) fn end_epoch(state: &mut State) {
        for it in &mut state.nodes {
            it.ticket.current = false;
            it.token = of_epoch(it.token, true);
            it.live = it.live.map(|live| Live {
                link: of_epoch(live.link, true),
                ..live
            });
            it.step = match it.step {
                Step::Waiting(Reply::Granted(token)) => {
                    Step::Waiting(Reply::Granted(of_epoch(token, true)))
                }
                Step::Holding {
                    mut minted,
                    written,
                } => {
                    minted.link = of_epoch(minted.link, true);
                    minted.replaced = minted.replaced.map(|token| of_epoch(token, true));
                    Step::Holding { minted, written }
                }
                Step::Committed(live) => Step::Committed(Live {
                    link: of_epoch(live.link, true),
                    ..live
                }),
                step => step,
            };
        }
    }
}

impl Live {
    /// The access token of a row.
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            epoch: row.epoch,
            minting: row.minting,
            link: row.access,
        }
    }
}
