//! The model: which steps are possible in a state, and what each leads to.

use std::sync::Arc;

use stateright::{Model, Property};

use crate::{
    bug::Bug,
    promise,
    provider::Mode,
    real::Tie,
    row::{OLD, Status, Token},
    state::{Left, Node, Reply, State, Step},
    witness::Seen,
};

/// One run: a provider, and what may go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Protocol {
    pub(crate) mode: Mode,
    /// Access tokens of one login; nobody asks for more.
    pub(crate) mintings: u8,
    pub(crate) faults: Left,
    /// A deliberate fault of the protocol, to see that it is found.
    pub(crate) bug: Option<Bug>,
    /// Compares each rule with the library's; absent where only states are counted.
    pub(crate) tie: Option<Arc<Tie>>,
    /// Of so many states one is followed until it has settled.
    pub(crate) sample: u64,
    /// Offers no step that changes nothing: a walk that meets one cannot be told again.
    pub(crate) strict_steps: bool,
    pub(crate) seen: Arc<Seen>,
    /// Of two states that differ in the names of the processes alone, one is enough.
    pub(crate) symmetric: bool,
}

/// One step of a process, the provider, the network, the user or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Reads the row, and arms if it may.
    Look {
        node: usize,
        asked: bool,
    },
    /// The same, and the write of the intent fails; perhaps it has happened.
    LookFails {
        node: usize,
        written: bool,
    },
    /// The same by a process that is stopped between reading the clocks and the write.
    LookSlowly {
        node: usize,
    },
    /// Connects, and reads the row once more.
    Check {
        node: usize,
    },
    Send {
        node: usize,
    },
    NotSent {
        node: usize,
    },
    Serve {
        node: usize,
    },
    /// A refusal that means nothing.
    Lie {
        node: usize,
    },
    /// A fault instead of an answer.
    Fail {
        node: usize,
        acted: bool,
    },
    /// A request for a login that has ended.
    ServeEnded {
        node: usize,
    },
    Receive {
        node: usize,
    },
    /// Of the answer only the refresh token can be read.
    Salvage {
        node: usize,
    },
    TimeOut {
        node: usize,
        stray: bool,
    },
    Commit {
        node: usize,
    },
    CommitUnknown {
        node: usize,
    },
    /// The store does not take this process's writes for some time.
    Outage {
        node: usize,
    },
    Judge {
        node: usize,
    },
    GiveUp {
        node: usize,
    },
    LetGo {
        node: usize,
    },
    StoreFails {
        node: usize,
    },
    Publish {
        node: usize,
    },
    /// Its access token is used at the API.
    Use {
        node: usize,
    },
    Crash {
        node: usize,
        stray: bool,
    },
    Pause {
        node: usize,
    },
    Resume {
        node: usize,
    },
    Logout {
        node: usize,
    },
    Login {
        node: usize,
    },
    ServeStray,
    Tick,
    /// Hours pass.
    Wait,
}

impl Protocol {
    /// Whether nothing has gone wrong so far.
    pub(crate) fn untouched(&self, state: &State) -> bool {
        state.left.total == self.faults.total
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether another access token is asked for.
    fn is_wanted(&self, state: &State) -> bool {
        state.row.status != Status::SignedOut && state.row.minting < self.mintings
    }

    fn own_steps(&self, state: &State, node: usize, out: &mut Vec<Action>) {
        let it = &state.nodes[node];
        match it.step {
            Step::Idle if self.is_wanted(state) => out.push(Action::Look { node, asked: false }),
            Step::Idle | Step::Waiting(Reply::OnWay) => {}
            Step::Flight => out.push(Action::Look {
                node,
                asked: it.asked,
            }),
            Step::Armed => out.push(Action::Check { node }),
            Step::Checked => out.push(Action::Send { node }),
            Step::Waiting(_) => out.push(Action::Receive { node }),
            Step::Holding { .. } => out.push(Action::Commit { node }),
            Step::Refused { .. } => out.push(Action::Judge { node }),
            Step::GivingUp => out.push(Action::GiveUp { node }),
            Step::LettingGo => out.push(Action::LetGo { node }),
            Step::Committed(_) => out.push(Action::Publish { node }),
        }
        if it.live.is_some() && self.mode == Mode::UntilUsed {
            out.push(Action::Use { node });
        }
    }

    fn network(&self, state: &State, node: usize, out: &mut Vec<Action>) {
        let (it, left) = (&state.nodes[node], &state.left);
        if it.step == Step::Waiting(Reply::OnWay) {
            out.push(Action::Serve { node });
            if it.token == OLD {
                out.push(Action::ServeEnded { node });
            }
            if left.lies > 0 && left.total > 0 {
                out.push(Action::Lie { node });
            }
            if left.lost > 0 && left.total > 0 {
                out.push(Action::Fail { node, acted: true });
                out.push(Action::Fail { node, acted: false });
            }
        }
        if left.lost == 0 || left.total == 0 || it.stuck {
            return;
        }
        match it.step {
            Step::Checked => out.push(Action::NotSent { node }),
            Step::Waiting(reply) => {
                out.push(Action::TimeOut { node, stray: false });
                if reply == Reply::OnWay && left.strays > 0 && state.stray.is_none() {
                    out.push(Action::TimeOut { node, stray: true });
                }
                if matches!(reply, Reply::Granted(_)) && self.mode.rotates() {
                    out.push(Action::Salvage { node });
                }
            }
            _ => {}
        }
    }

    fn store_faults(state: &State, node: usize, out: &mut Vec<Action>) {
        match state.nodes[node].step {
            Step::Idle | Step::Flight => {
                out.push(Action::LookFails {
                    node,
                    written: false,
                });
                out.push(Action::LookFails {
                    node,
                    written: true,
                });
            }
            Step::Holding { .. } => {
                out.push(Action::CommitUnknown { node });
                out.push(Action::Outage { node });
            }
            Step::Armed | Step::Refused { .. } | Step::GivingUp | Step::LettingGo => {
                out.push(Action::StoreFails { node });
            }
            Step::Checked | Step::Waiting(_) | Step::Committed(_) => {}
        }
    }

    fn mishaps(&self, state: &State, node: usize, out: &mut Vec<Action>) {
        let (it, left) = (&state.nodes[node], &state.left);
        let idle = matches!(it.step, Step::Idle | Step::Flight);
        // A process that holds nothing loses nothing; the next one is there at once, or acts later.
        if left.crashes > 0 && !idle {
            out.push(Action::Crash { node, stray: false });
            let on_way = it.step == Step::Waiting(Reply::OnWay);
            if on_way && left.strays > 0 && state.stray.is_none() {
                out.push(Action::Crash { node, stray: true });
            }
        }
        if it.stuck {
            return;
        }
        if left.pauses > 0 {
            out.push(if idle {
                Action::LookSlowly { node }
            } else {
                Action::Pause { node }
            });
        }
        if left.store > 0 {
            Self::store_faults(state, node, out);
        }
        if left.logouts > 0 && state.row.status != Status::SignedOut {
            out.push(Action::Logout { node });
        }
        if left.logins > 0 {
            out.push(Action::Login { node });
        }
        if left.asks > 0 && it.step == Step::Idle && self.is_wanted(state) {
            out.push(Action::Look { node, asked: true });
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.faults)]
    }

    fn actions(&self, state: &State, out: &mut Vec<Action>) {
        if state.broken != 0 {
            return;
        }
        for (node, it) in state.nodes.iter().enumerate() {
            if it.stuck {
                out.push(Action::Resume { node });
            } else {
                self.own_steps(state, node, out);
            }
            self.network(state, node, out);
            if state.left.total > 0 {
                self.mishaps(state, node, out);
            }
        }
        if state.stray.is_some() {
            out.push(Action::ServeStray);
        }
        if state.nodes.iter().all(Node::lets_time_pass) {
            out.push(Action::Tick);
        }
        if state.nodes.iter().all(Node::lets_hours_pass) {
            out.push(Action::Wait);
        }
        if self.strict_steps {
            out.retain(|action| self.next_state(state, *action).is_some());
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = self.step(state, action)?;
        if self.symmetric {
            next = next.representative();
        }
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promise::all(self.mode, self.faults.total)
    }
}

impl Protocol {
    /// One step and what it promises, whatever it is.
    pub(crate) fn step(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        self.apply(&mut next, action)?;
        if next.row.counters() < state.row.counters() || goes_back(state, &next) {
            next.breaks(promise::Broken::Backwards);
        }
        if !self.untouched(&next) || next.row.epoch > 0 {
            next.provider.grants = 0;
        }
        next.condense();
        Some(next)
    }

    fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        use Action as A;
        match action {
            A::Look { node, asked } => self.look(state, node, asked),
            A::LookFails { node, written } => self.look_fails(state, node, written)?,
            A::LookSlowly { node } => self.look_slowly(state, node)?,
            A::Check { node } => self.check(state, node),
            A::Send { node } => self.send(state, node),
            A::NotSent { node } => Self::not_sent(state, node),
            A::Serve { node } => self.serve(state, node),
            A::Lie { node } => Self::lie(state, node),
            A::Fail { node, acted } => self.fail(state, node, acted),
            A::ServeEnded { node } => {
                state.nodes[node].step = Step::Waiting(Reply::Refused { authentic: true });
            }
            A::Receive { node } => self.receive(state, node),
            A::Salvage { node } => self.salvage(state, node),
            A::TimeOut { node, stray } => Self::time_out(state, node, stray),
            A::Commit { node } => self.commit(state, node),
            A::CommitUnknown { node } => self.commit_unknown(state, node)?,
            A::Outage { node } => self.outage(state, node),
            A::Judge { node } => self.judge(state, node),
            A::GiveUp { node } => self.give_up(state, node),
            A::LetGo { node } => self.let_go(state, node),
            A::StoreFails { node } => Self::store_fails(state, node),
            A::Publish { node } => self.publish_own(state, node),
            A::Use { node } => Self::use_access(state, node),
            A::Crash { node, stray } => self.crash(state, node, stray),
            A::Pause { node } => Self::pause(state, node),
            A::Resume { node } => Self::resume(state, node),
            A::Logout { node } => self.logout(state, node),
            A::Login { node } => self.login(state, node),
            A::ServeStray => self.serve_stray(state),
            A::Tick => self.tick(state),
            A::Wait => self.wait(state),
        }
        Some(())
    }
}

/// Within an epoch generation and minting grow each on its own.
fn goes_back(before: &State, after: &State) -> bool {
    let (old, new) = (&before.row, &after.row);
    old.epoch == new.epoch && (new.generation < old.generation || new.minting < old.minting)
}

/// A token that belongs to no login any more, where it belongs to one that has ended.
pub(crate) fn of_epoch(token: Token, ended: bool) -> Token {
    if ended && token < OLD { OLD } else { token }
}
