//! What an answer leads to: commit, verdict, or giving the intent back.

use crate::{
    bug::Bug,
    promise::Broken,
    protocol::Protocol,
    provider::Mode,
    row::{Candidate, Candidates, Doubt, Intent, NONE, Row, Standing, Status, bit, later_than},
    rules::{Commit, Minted, Refusal, Resolution, TOO_LATE, Ticket, holds, set_aside},
    state::{Live, Node, Reply, State, Step, Written},
    witness::Witness,
};

impl Protocol {
    pub(crate) fn receive(&self, state: &mut State, node: usize) {
        let it = &mut state.nodes[node];
        match it.step {
            Step::Waiting(Reply::Granted(token)) => self.hold(state, node, token, true),
            Step::Waiting(Reply::Refused { authentic }) => it.step = Step::Refused { authentic },
            _ => {
                it.before = it.before.max(Doubt::Fault);
                Self::next_try(state, node);
            }
        }
    }

    pub(crate) fn salvage(&self, state: &mut State, node: usize) {
        state.left.lost -= 1;
        state.left.total -= 1;
        if let Step::Waiting(Reply::Granted(token)) = state.nodes[node].step {
            self.hold(state, node, token, false);
        }
    }

    fn hold(&self, state: &mut State, node: usize, token: u8, access: bool) {
        let it = &mut state.nodes[node];
        let replaced = (token != NONE).then_some(token);
        let link = match self.mode {
            Mode::UntilUsed => replaced.unwrap_or(it.token),
            _ => 0,
        };
        let minted = Minted {
            access,
            link,
            replaced,
            before: it.before,
        };
        it.step = Step::Holding {
            minted,
            written: Written::No,
        };
        if self.has(Bug::PublishEarly) && access {
            it.live = Some(Live {
                epoch: it.ticket.epoch,
                minting: it.ticket.minting + 1,
                link,
            });
        }
        state.known |= bit(token);
    }

    pub(crate) fn time_out(state: &mut State, node: usize, stray: bool) {
        state.left.lost -= 1;
        state.left.total -= 1;
        if stray {
            Self::leave_behind(state, node);
        }
        let it = &mut state.nodes[node];
        it.before = Doubt::Missing;
        Self::next_try(state, node);
    }

    fn decide(&self, row: &Row, it: &Node, minted: Minted) -> Commit {
        if self.has(Bug::CommitBlindly) {
            return Commit::Current(over_everything(row, it.ticket, minted));
        }
        let mut ticket = it.ticket;
        if self.has(Bug::IgnoreEpoch) {
            ticket.epoch = row.epoch;
        }
        match self.rules_commit(row, ticket, minted) {
            Commit::Late(Some(_)) if self.has(Bug::DropLate) => Commit::Late(None),
            Commit::Current(mut next) if self.has(Bug::ForgetPresented) => {
                let forget = |list: &mut Vec<Candidate>| list.retain(|it| it.token != row.refresh);
                next.candidates = next.candidates.changed(forget);
                Commit::Current(next)
            }
            decided => decided,
        }
    }

    pub(crate) fn commit(&self, state: &mut State, node: usize) {
        let (row, it) = (state.row, state.nodes[node]);
        let Step::Holding { minted, written } = it.step else {
            return;
        };
        if is_in(&row, it.ticket, minted, written) {
            self.seen.note(Witness::ReadBack);
            state.nodes[node].step = Step::Committed(Live::of(&row));
            return;
        }
        match self.decide(&row, &it, minted) {
            Commit::Current(next) => {
                self.note_success(state, &it);
                state.row = next;
                state.nodes[node].step = Step::Committed(Live::of(&next));
            }
            Commit::Late(next) => {
                if let Some(next) = next {
                    self.seen.note(Witness::LateIsCandidate);
                    state.row = next;
                }
                state.nodes[node].again();
            }
            Commit::Closed => {
                self.seen.note(match row.status {
                    Status::SignedOut => Witness::LogoutBeatsRefresh,
                    _ => Witness::LoginBeatsRefresh,
                });
                state.nodes[node].again();
            }
        }
    }

    fn note_success(&self, state: &State, it: &Node) {
        let row = &state.row;
        if it.before == Doubt::Missing || row.unanswered == Doubt::Missing {
            self.seen.note(Witness::Recovered);
        }
        if !holds(row, it.ticket) {
            self.seen.note(Witness::LateIsCurrent);
        }
        if row.status != Status::Active && state.left.lies < self.faults.lies {
            self.seen.note(Witness::LieSurvived);
        }
    }

    pub(crate) fn commit_unknown(&self, state: &mut State, node: usize) -> Option<()> {
        let it = state.nodes[node];
        let Step::Holding {
            minted,
            written: Written::No,
        } = it.step
        else {
            return None;
        };
        let (next, written) = match self.decide(&state.row, &it, minted) {
            Commit::Current(next) => (next, Written::AsCurrent),
            Commit::Late(Some(next)) => (next, Written::AsLate),
            _ => return None,
        };
        state.left.store -= 1;
        state.left.total -= 1;
        state.row = next;
        state.nodes[node].step = Step::Holding { minted, written };
        Some(())
    }

    pub(crate) fn outage(&self, state: &mut State, node: usize) {
        state.left.store -= 1;
        state.left.total -= 1;
        if self.has(Bug::DropUnsaved) {
            state.nodes[node].again();
        } else {
            state.nodes[node].stuck = true;
        }
    }

    pub(crate) fn judge(&self, state: &mut State, node: usize) {
        let (row, it) = (state.row, state.nodes[node]);
        let authentic = it.step == Step::Refused { authentic: true };
        let refusal = match self.bug {
            Some(Bug::RefuseUnread) => Refusal::Judged(unread(&row, it.before, self)),
            Some(Bug::NeverPromote) => without_candidates(&row, &it, self),
            Some(Bug::SetAsideAtOnce) => at_once(&row, &it, self),
            _ => self.rules_refuse(&row, it.ticket, it.before),
        };
        match refusal {
            Refusal::Moved => state.nodes[node].again(),
            Refusal::Promotable(place) => {
                self.promote_refused(state, place);
                state.nodes[node].again();
            }
            Refusal::Judged(mut next) => {
                if self.has(Bug::CondemnAtOnce) {
                    next.status = Status::Reauthorize(crate::row::Reason::Revoked);
                }
                state.row = next;
                state.nodes[node].land();
                self.weigh(state, &row, &it, authentic);
            }
        }
    }

    fn promote_refused(&self, state: &mut State, place: usize) {
        let row = state.row;
        let promoted = row.candidates.at(place);
        self.seen.note(Witness::PromotedOnRefusal);
        if promoted.standing == Standing::SetAside {
            self.seen.note(Witness::CameBack);
            let later = row.tokens() & later_than(promoted.token);
            if state.provider.accepted() & later != 0 {
                state.breaks(Broken::CameBack);
            }
        }
        state.row = self.promote(&row, place);
    }

    pub(crate) fn promote(&self, row: &Row, place: usize) -> Row {
        let mut next = self.rules_promote(row, place);
        if self.has(Bug::RefuseSetAside) {
            let refuse = |it: &mut Candidate| {
                if it.standing == Standing::SetAside {
                    it.standing = Standing::Refused;
                }
            };
            next.candidates = next
                .candidates
                .changed(|list| list.iter_mut().for_each(refuse));
        }
        next
    }

    /// What a verdict must rest on.
    fn weigh(&self, state: &mut State, row: &Row, it: &Node, authentic: bool) {
        if it.ticket.epoch != row.epoch {
            state.breaks(Broken::EndedLogin);
        }
        if it.token != row.refresh {
            state.breaks(Broken::Verdict);
        }
        let before = matches!(row.status, Status::Reauthorize(_));
        if matches!(state.row.status, Status::Reauthorize(_)) && !before {
            let explained = it.before.max(row.unanswered) == Doubt::Missing;
            let wrong = state.provider.accepted() & bit(it.token) != 0;
            if !authentic && !explained && wrong {
                state.breaks(Broken::Verdict);
            }
            self.seen.note(Witness::GivenUp);
        }
    }

    pub(crate) fn give_up(&self, state: &mut State, node: usize) {
        let it = state.nodes[node];
        let unsent = it.before == Doubt::Nothing;
        match self.rules_resolve(&state.row, it.ticket, resolution(&it, true)) {
            None => state.nodes[node].again(),
            Some(next) => {
                state.row = next;
                if unsent && it.elapsed >= TOO_LATE {
                    state.nodes[node].again();
                } else {
                    state.nodes[node].land();
                }
            }
        }
    }

    pub(crate) fn let_go(&self, state: &mut State, node: usize) {
        let it = state.nodes[node];
        if let Some(next) = self.rules_resolve(&state.row, it.ticket, resolution(&it, false)) {
            state.row = next;
        }
        state.nodes[node].land();
    }

    pub(crate) fn store_fails(state: &mut State, node: usize) {
        state.left.store -= 1;
        state.left.total -= 1;
        let it = &mut state.nodes[node];
        match it.step {
            Step::LettingGo => it.land(),
            _ => it.step = Step::LettingGo,
        }
    }

    pub(crate) fn publish_own(&self, state: &mut State, node: usize) {
        let Step::Committed(live) = state.nodes[node].step else {
            return;
        };
        self.publish(state, node, live, Status::Active);
        let it = &mut state.nodes[node];
        let newer = |live: Live| live.minting > it.ticket.minting;
        if it.live.is_some_and(newer) {
            it.land();
        } else {
            it.again();
        }
    }
}

fn resolution(it: &Node, pause: bool) -> Resolution {
    match it.before {
        Doubt::Nothing => Resolution::Untouched,
        before => Resolution::Unknown {
            missing: before == Doubt::Missing,
            pause,
        },
    }
}

/// Whether a write whose outcome was unknown is in the row. What was sealed anew is not the same.
fn is_in(row: &Row, ticket: Ticket, minted: Minted, written: Written) -> bool {
    if written == Written::No || row.epoch != ticket.epoch {
        return false;
    }
    let access = minted.access && row.minting == ticket.minting + 1;
    let refresh = |token| {
        let late = |it: &Candidate| it.token == token && it.standing == Standing::Untried;
        row.refresh == token && !row.resealed || row.candidates.iter().any(late)
    };
    written == Written::AsCurrent && access || minted.replaced.is_some_and(refresh)
}

/// What a writer does who does not compare.
fn over_everything(row: &Row, ticket: Ticket, minted: Minted) -> Row {
    Row {
        epoch: ticket.epoch,
        generation: ticket.generation + u8::from(minted.replaced.is_some()),
        minting: ticket.minting + u8::from(minted.access),
        status: Status::Active,
        refresh: minted.replaced.unwrap_or(row.refresh),
        access: minted.link,
        intent: None,
        candidates: Candidates::default(),
        unanswered: Doubt::Nothing,
        ..*row
    }
}

/// What a judge does who does not look again.
fn unread(row: &Row, before: Doubt, rules: &Protocol) -> Row {
    let held = Row {
        intent: Some(Intent {
            owner: 0,
            dead: false,
            age: 0,
        }),
        candidates: Candidates::default(),
        ..*row
    };
    let ticket = Ticket {
        epoch: row.epoch,
        generation: row.generation,
        minting: row.minting,
        current: true,
    };
    match rules.rules_refuse(&held, ticket, before) {
        Refusal::Judged(next) if row.status != Status::SignedOut => next,
        _ => *row,
    }
}

/// What a judge does who does not wait for a verdict.
fn at_once(row: &Row, it: &Node, rules: &Protocol) -> Refusal {
    match (
        rules.rules_refuse(row, it.ticket, it.before),
        set_aside(row),
    ) {
        (Refusal::Judged(_), Some(place)) => Refusal::Promotable(place),
        (refusal, _) => refusal,
    }
}

/// What a judge does who does not know candidates.
fn without_candidates(row: &Row, it: &Node, rules: &Protocol) -> Refusal {
    let mut bare = *row;
    bare.candidates = Candidates::default();
    match rules.rules_refuse(&bare, it.ticket, it.before) {
        Refusal::Judged(next) => Refusal::Judged(Row {
            candidates: row.candidates,
            ..next
        }),
        refusal => refusal,
    }
}
