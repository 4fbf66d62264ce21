//! The promises, and how a step that breaks one is marked.

use stateright::Property;

use crate::{
    protocol::Protocol,
    provider::Mode,
    row::{NONE, OLD, Status},
    settle,
    state::{Node, Reply, State, Step},
    witness,
};

/// Promises about a step; the state after one that breaks them carries the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Backwards,
    NoIntent,
    Together,
    Verdict,
    EndedLogin,
    CameBack,
}

impl State {
    pub(crate) fn breaks(&mut self, promise: Broken) {
        self.broken |= 1 << promise as u16;
    }

    fn keeps(&self, promise: Broken) -> bool {
        self.broken & (1 << promise as u16) == 0
    }
}

pub(crate) const SUPERSEDED: &str =
    "a superseded refresh token is presented once at most for each pause or outage";
pub(crate) const CAME_BACK: &str =
    "what was set aside comes back only when the provider accepts nothing that came after it";
pub(crate) const BACKWARDS: &str = "epoch, generation and minting never go backwards";
pub(crate) const DURABLE: &str = "no access token is in use before its row is durable";
pub(crate) const INTENT: &str = "every presentation has its own durable intent";
pub(crate) const TOGETHER: &str =
    "without a pause or an outage two processes never present together";
pub(crate) const VERDICT: &str =
    "no grant is given up on a refusal of another token, nor on one without a reason";
pub(crate) const RECEIVED: &str = "no received refresh token that the provider keeps is dropped";
pub(crate) const LOGOUT: &str = "logout wins: nothing of an ended login is served or left";
pub(crate) const LOGIN: &str = "a new login wins: no answer of an ended one reaches its row";
pub(crate) const ONCE: &str = "without faults there is one token call for each access token";
pub(crate) const LOSS: &str = "no loss that a correct client would have avoided";
pub(crate) const SETTLES: &str = "once faults stop, a grant that can be refreshed is refreshed";
pub(crate) const ROOM: &str = "the bounds of the model are never what stops it";

/// All of them, and that what they are about does happen.
pub(crate) fn all(mode: Mode, mishaps: u8) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::always(SUPERSEDED, superseded),
        Property::always(CAME_BACK, |_, state: &State| state.keeps(Broken::CameBack)),
        Property::always(BACKWARDS, |_, state: &State| state.keeps(Broken::Backwards)),
        Property::always(DURABLE, durable),
        Property::always(INTENT, |_, state: &State| state.keeps(Broken::NoIntent)),
        Property::always(TOGETHER, |_, state: &State| state.keeps(Broken::Together)),
        Property::always(VERDICT, |_, state: &State| state.keeps(Broken::Verdict)),
        Property::always(RECEIVED, received),
        Property::always(LOGOUT, logout),
        Property::always(LOGIN, login),
        Property::always(ONCE, once),
        Property::always(LOSS, loss),
        Property::always(SETTLES, settle::settles),
        Property::always(ROOM, |_, state: &State| {
            state.row.candidates.has_room() && !state.provider.is_full()
        }),
    ];
    properties.extend(witness::properties(mode, mishaps));
    properties
}

fn superseded(model: &Protocol, state: &State) -> bool {
    let pauses = model.faults.pauses - state.left.pauses;
    let outages = model.faults.store - state.left.store;
    state.superseded <= pauses + outages
}

fn durable(_: &Protocol, state: &State) -> bool {
    let row = (state.row.epoch, state.row.minting);
    let lives = state.nodes.iter().filter_map(|node| node.live);
    lives
        .into_iter()
        .all(|live| (live.epoch, live.minting) <= row)
}

fn received(_: &Protocol, state: &State) -> bool {
    state.known & state.provider.newest & !state.held() == 0
}

fn logout(_: &Protocol, state: &State) -> bool {
    let served = |node: &Node| node.live.is_some_and(|live| live.epoch < node.begun);
    let empty = state.row.refresh == NONE && state.row.candidates.iter().next().is_none();
    let out = state.row.status == Status::SignedOut;
    !state.nodes.iter().any(served) && out == empty
}

fn login(_: &Protocol, state: &State) -> bool {
    let late = state.row.candidates.iter().any(|it| it.token == OLD);
    state.row.refresh != OLD && !late && state.keeps(Broken::EndedLogin)
}

fn once(model: &Protocol, state: &State) -> bool {
    if !model.untouched(state) {
        return true;
    }
    let under_way = |node: &Node| {
        matches!(
            node.step,
            Step::Waiting(Reply::Granted(_)) | Step::Holding { .. }
        )
    };
    let under_way = state.nodes.iter().filter(|node| under_way(node)).count();
    if under_way > 1 || state.row.minting > model.mintings {
        return false;
    }
    usize::from(state.provider.grants) == usize::from(state.row.minting) + under_way
}

/// Judged by the provider's own memory: of the tokens that it accepts, a client has had one in its
/// hands and has none now that it will ever try.
fn loss(_: &Protocol, state: &State) -> bool {
    let accepted = state.provider.accepted();
    accepted & state.known == 0 || accepted & state.within_reach() != 0
}
