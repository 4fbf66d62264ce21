//! What becomes of a state when nothing goes wrong any more.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    protocol::{Action, Protocol},
    provider::Mode,
    row::{Status, bit},
    state::{Left, Reply, State, Step},
};

/// Rounds after which a run that has not ended never will: a few tokens may each have to be verified.
const ROUNDS: usize = 200;

/// From a state in which nothing is on its way to the provider, and a client has a token that the
/// provider will accept for as long as it takes: a run without faults brings a new access token.
///
/// The checker's own kind of liveness does not see a cycle, and processes that wait for one another
/// are one; so the run is made, by a schedule of its own.
pub(crate) fn settles(model: &Protocol, state: &State) -> bool {
    if model.sample > 1 && !hash(state).is_multiple_of(model.sample) {
        return true;
    }
    let presenting = state
        .nodes
        .iter()
        .any(|node| node.is_presenting() || matches!(node.step, Step::Refused { .. }));
    if state.broken != 0
        || presenting
        || !lasts(model, state)
        || state.row.status == Status::SignedOut
    {
        return true;
    }
    let mut calm = *state;
    calm.left = Left::none();
    calm.stray = None;
    for node in &mut calm.nodes {
        node.stuck = false;
    }
    // An answer in memory is written before anybody else acts: its holder is at it all the time.
    for node in 0..calm.nodes.len() {
        if matches!(calm.nodes[node].step, Step::Holding { .. }) {
            calm = take(model, &calm, Action::Commit { node });
        }
    }
    let goal = (calm.row.epoch, calm.row.minting);
    (0..ROUNDS).any(|_| {
        let next = round(model, &calm);
        calm = if next == calm {
            patience(model, &calm)
        } else {
            next
        };
        (calm.row.epoch, calm.row.minting) > goal
    })
}

/// Whether a client has a refresh token that will be accepted for as long as it takes: the newest; or the
/// one before, where that is accepted until the newest was used, and nobody has got that.
fn lasts(model: &Protocol, state: &State) -> bool {
    let newest = state.provider.newest;
    let kept = model.mode == Mode::UntilUsed && newest & state.known == 0;
    let before = if kept { bit(state.provider.before) } else { 0 };
    (newest | before) & state.held() != 0
}

fn hash(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

fn take(model: &Protocol, state: &State, action: Action) -> State {
    model.step(state, action).unwrap_or(*state)
}

/// Each process does what is next.
fn round(model: &Protocol, state: &State) -> State {
    let mut state = *state;
    for node in 0..state.nodes.len() {
        let action = match state.nodes[node].step {
            Step::Idle => Action::Look { node, asked: false },
            Step::Flight => {
                let asked = state.nodes[node].asked;
                Action::Look { node, asked }
            }
            Step::Armed => Action::Check { node },
            Step::Checked => Action::Send { node },
            Step::Waiting(Reply::OnWay) => Action::Serve { node },
            Step::Waiting(_) => Action::Receive { node },
            Step::Holding { .. } => Action::Commit { node },
            Step::Refused { .. } => Action::Judge { node },
            Step::GivingUp => Action::GiveUp { node },
            Step::LettingGo => Action::LetGo { node },
            Step::Committed(_) => Action::Publish { node },
        };
        state = take(model, &state, action);
    }
    state
}

/// Nobody may do anything now: time passes, and at last a person asks.
fn patience(model: &Protocol, state: &State) -> State {
    let ticked = take(model, state, Action::Tick);
    let waited = take(model, &ticked, Action::Wait);
    if waited != *state {
        return waited;
    }
    let mut asking = waited;
    (asking.left.asks, asking.left.total) = (1, 1);
    let asked = Action::Look {
        node: 0,
        asked: true,
    };
    take(model, &asking, asked)
}
