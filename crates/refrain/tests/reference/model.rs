//! What a store is, on a page.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use refrain::{
    id::{AppName, Epoch, GrantName, Minting},
    lifecycle::{Change, Event, GrantRow, app::AppState, event::What},
    store::{Version, Versioned, Written, contract::full_row},
    time::{Moment, UnixMillis},
};

/// A call, on one of two handles.
#[derive(Debug, Clone)]
pub enum Call {
    Insert {
        handle: usize,
        change: Change,
    },
    Replace {
        handle: usize,
        seen: Version,
        change: Change,
    },
    Reopen {
        handle: usize,
    },
    Listen {
        handle: usize,
    },
    KeepApp {
        handle: usize,
        app: AppName,
        seen: Version,
        state: AppState,
    },
}

/// What a call answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done,
    Written(Written),
    Heard(BTreeMap<GrantName, (Epoch, Minting)>),
}

/// All there is to know about a store.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub rows: BTreeMap<GrantName, (Versioned<GrantRow>, Vec<Event>)>,
    pub apps: BTreeMap<AppName, Version>,
    pub answer: Option<Answer>,
}

impl Model {
    fn put(&mut self, change: &Change, version: Version) -> Written {
        let (_, mut story) = self.rows.remove(&change.row.name).unwrap_or_else(|| {
            let value = change.row.clone();
            (Versioned { value, version }, Vec::new())
        });
        if change.forgets {
            story.clear();
        }
        story.extend(change.events.iter().cloned());
        let value = change.row.clone();
        self.rows.insert(
            change.row.name.clone(),
            (Versioned { value, version }, story),
        );
        Written::Durably(version)
    }

    fn call(&mut self, call: &Call) -> Answer {
        match call {
            Call::Insert { change, .. } if self.rows.contains_key(&change.row.name) => {
                Answer::Written(Written::Conflict)
            }
            Call::Insert { change, .. } => Answer::Written(self.put(change, Version(1))),
            Call::Replace { seen, change, .. } => {
                let current = self.rows.get(&change.row.name).map(|(row, _)| row.version);
                Answer::Written(if current == Some(*seen) {
                    self.put(change, Version(seen.0 + 1))
                } else {
                    Written::Conflict
                })
            }
            Call::Reopen { .. } => Answer::Done,
            Call::Listen { .. } => {
                let newest = |row: &GrantRow| (row.epoch, row.minting);
                let rows = self.rows.iter();
                Answer::Heard(
                    rows.map(|(name, (row, _))| (name.clone(), newest(&row.value)))
                        .collect(),
                )
            }
            Call::KeepApp { app, seen, .. } => {
                let current = self.apps.entry(app.clone()).or_default();
                Answer::Written(if current == seen {
                    *current = Version(seen.0 + 1);
                    Written::Durably(*current)
                } else {
                    Written::Conflict
                })
            }
        }
    }
}

/// What a write does to a row; epochs and mintings only grow, as in life.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Arm,
    Mint,
    Login,
    Logout,
}

impl Kind {
    fn change(self, row: &GrantRow, events: usize) -> Change {
        let mut row = row.clone();
        let event = |at| Event {
            at: UnixMillis(at),
            epoch: row.epoch,
            what: What::SignedOut,
        };
        let events = (0_i64..).take(events).map(event).collect();
        match self {
            Self::Arm => row.fence = row.fence.next(),
            Self::Mint => {
                row.minting = row.minting.next();
                row.intent = None;
            }
            Self::Login | Self::Logout => row.epoch = row.epoch.next(),
        }
        if matches!(self, Self::Logout) {
            row.tokens = None;
            row.candidates.clear();
        }
        Change {
            row,
            events,
            forgets: matches!(self, Self::Logout),
        }
    }
}

fn name() -> impl Strategy<Value = GrantName> {
    (0..4_u8).prop_map(|number| format!("grant-{number}").parse().unwrap())
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Call;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Call> {
        let rows = model.rows.clone();
        let kind = prop_oneof![
            4 => Just(Kind::Arm),
            4 => Just(Kind::Mint),
            1 => Just(Kind::Login),
            1 => Just(Kind::Logout),
        ];
        let insert = (0..2_usize, name(), 0..3_usize).prop_map(|(handle, name, events)| {
            let change = Kind::Arm.change(&full_row(name.as_str()), events);
            Call::Insert { handle, change }
        });
        let replace = (0..2_usize, name(), kind, 0..3_usize, 0..6_u64).prop_map(
            move |(handle, name, kind, events, stale)| {
                let stranger = || {
                    let value = full_row(name.as_str());
                    Versioned {
                        value,
                        version: Version(1),
                    }
                };
                let row = rows
                    .get(&name)
                    .map_or_else(stranger, |(row, _)| row.clone());
                // One in three for a version that has gone by, or has not come yet.
                let seen = match stale {
                    0 => Version(row.version.0.saturating_sub(1)),
                    1 => Version(row.version.0 + 1),
                    _ => row.version,
                };
                let change = kind.change(&row.value, events);
                Call::Replace {
                    handle,
                    seen,
                    change,
                }
            },
        );
        let apps = model.apps.clone();
        let keep = (0..2_usize, 0..2_u8, 0..2_u64).prop_map(move |(handle, app, off)| {
            let app: AppName = format!("app-{app}").parse().unwrap();
            let seen = Version(apps.get(&app).map_or(0, |version| version.0) + off);
            let state = AppState::default().throttled(std::time::Duration::from_secs(9), &moment());
            Call::KeepApp {
                handle,
                app,
                seen,
                state,
            }
        });
        prop_oneof![
            2 => insert,
            8 => replace,
            2 => keep,
            1 => (0..2_usize).prop_map(|handle| Call::Reopen { handle }),
            3 => (0..2_usize).prop_map(|handle| Call::Listen { handle }),
        ]
        .boxed()
    }

    fn apply(mut model: Self, call: &Call) -> Self {
        model.answer = Some(model.call(call));
        model
    }
}

fn moment() -> Moment {
    Moment {
        wall: UnixMillis(0),
        uptime: refrain::time::Uptime(0),
        boot: refrain::time::BootId(0),
    }
}
