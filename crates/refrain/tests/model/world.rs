//! What happens around the processes: the provider, the network, crashes, pauses, the user, time.

use crate::{
    protocol::Protocol,
    provider::{Provider, Verdict},
    row::{OLD, Row, Status, Token, bit},
    rules::{LAPSED, TOO_LATE},
    state::{Live, Node, Reply, State, Step, Stray},
    witness::Witness,
};

impl Protocol {
    /// The provider acts on a request.
    fn act(&self, state: &mut State, token: Token) -> Reply {
        let before = state.reachable();
        let reply = match state.provider.present(self.mode, token) {
            Verdict::Granted(token) => {
                state.provider.grants += 1;
                Reply::Granted(token)
            }
            Verdict::Refused => Reply::Refused { authentic: true },
        };
        if before && matches!(reply, Reply::Refused { .. }) && !state.reachable() {
            self.seen.note(Witness::Unavoidable);
        }
        reply
    }

    pub(crate) fn serve(&self, state: &mut State, node: usize) {
        let reply = self.act(state, state.nodes[node].token);
        state.nodes[node].step = Step::Waiting(reply);
    }

    pub(crate) fn lie(state: &mut State, node: usize) {
        state.left.lies -= 1;
        state.left.total -= 1;
        state.nodes[node].step = Step::Waiting(Reply::Refused { authentic: false });
    }

    pub(crate) fn fail(&self, state: &mut State, node: usize, acted: bool) {
        state.left.lost -= 1;
        state.left.total -= 1;
        if acted {
            self.act(state, state.nodes[node].token);
            self.note_loss(state);
        }
        state.nodes[node].step = Step::Waiting(Reply::Fault);
    }

    pub(crate) fn serve_stray(&self, state: &mut State) {
        if let Some(Stray(token)) = state.stray.take() {
            self.seen.note(Witness::StrayServed);
            self.act(state, token);
            self.note_loss(state);
        }
    }

    fn note_loss(&self, state: &State) {
        if !state.reachable() {
            self.seen.note(Witness::Unavoidable);
        }
    }

    /// The request goes on without its sender.
    pub(crate) fn leave_behind(state: &mut State, node: usize) {
        state.left.strays -= 1;
        state.stray = Some(Stray(state.nodes[node].token));
    }

    pub(crate) fn crash(&self, state: &mut State, node: usize, stray: bool) {
        state.left.crashes -= 1;
        state.left.total -= 1;
        if stray {
            Self::leave_behind(state, node);
        }
        let forgotten = state.nodes[node].holds();
        state.nodes[node] = Node::new();
        state.known &= !forgotten | state.held();
        if let Some(intent) = &mut state.row.intent {
            intent.dead |= usize::from(intent.owner) == node;
        }
        if state.row.status != Status::SignedOut {
            self.note_loss(state);
        }
    }

    pub(crate) fn pause(state: &mut State, node: usize) {
        state.left.pauses -= 1;
        state.left.total -= 1;
        state.nodes[node].stuck = true;
    }

    pub(crate) fn resume(state: &mut State, node: usize) {
        let it = &mut state.nodes[node];
        it.stuck = false;
        it.woken = it.step == Step::Checked;
    }

    pub(crate) fn use_access(state: &mut State, node: usize) {
        if let Some(live) = state.nodes[node].live {
            state.provider.used(live.link);
        }
    }

    pub(crate) fn logout(&self, state: &mut State, node: usize) {
        state.left.logouts -= 1;
        state.left.total -= 1;
        Self::end_epoch(state);
        state.stray = state.stray.map(|_| Stray(OLD));
        state.row = self.rules_sign_out(&state.row);
        state.provider = Provider {
            newest: 0,
            ..Provider::new()
        };
        state.known = 0;
        let it = &mut state.nodes[node];
        (it.begun, it.live) = (state.row.epoch, None);
    }

    pub(crate) fn login(&self, state: &mut State, node: usize) {
        state.left.logins -= 1;
        state.left.total -= 1;
        Self::end_epoch(state);
        state.stray = state.stray.map(|_| Stray(OLD));
        state.row = self.rules_consent(&state.row);
        state.provider = Provider::new();
        state.known = bit(0);
        let it = &mut state.nodes[node];
        (it.begun, it.live) = (state.row.epoch, Some(Live::of(&state.row)));
    }

    pub(crate) fn tick(&self, state: &mut State) {
        let row = state.row;
        for node in 0..state.nodes.len() {
            let it = &mut state.nodes[node];
            if !matches!(it.step, Step::Idle | Step::Flight) {
                it.elapsed = (it.elapsed + 1).min(TOO_LATE);
                it.waited |= matches!(it.step, Step::Waiting(_));
            }
            // Every few seconds each process looks what has become of the grant.
            if !it.stuck && it.live.is_some() {
                self.publish(state, node, Live::of(&row), row.status);
            }
        }
        Self::age(&mut state.row, 1);
        state.provider.tick(self.mode);
    }

    pub(crate) fn wait(&self, state: &mut State) {
        for _ in 0..8 {
            self.tick(state);
        }
        state.stray = None;
        if let Status::Suspect { due, .. } = &mut state.row.status {
            *due = true;
        }
    }

    fn age(row: &mut Row, ticks: u8) {
        row.backing_off = false;
        if let Some(intent) = &mut row.intent {
            intent.age = (intent.age + ticks).min(LAPSED);
        }
    }
}

impl State {
    /// The refresh tokens that a client will try or is being sent, as a set.
    pub(crate) fn within_reach(&self) -> u16 {
        let sent = self.nodes.iter().map(|node| match node.step {
            Step::Waiting(Reply::Granted(token)) => bit(token),
            _ => 0,
        });
        let sent = sent.fold(0, |all, one| all | one);
        self.usable() | sent
    }

    fn reachable(&self) -> bool {
        self.provider.accepted() & self.within_reach() != 0
    }
}
