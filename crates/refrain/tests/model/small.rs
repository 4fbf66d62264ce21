//! The rules against the library's on every small row, whether a run reaches it or not.
//!
//! A short run meets few rows with more than one token that stands by, and those are where the rules
//! about what is tried next differ most easily.

use std::sync::Arc;

use crate::{
    protocol::Protocol,
    provider::Mode,
    real::Tie,
    row::{Candidate, Candidates, Doubt, Intent, Reason, Row, Standing, Status},
    rules::{Minted, Resolution, Ticket},
    run,
};

const DOUBTS: [Doubt; 3] = [Doubt::Nothing, Doubt::Fault, Doubt::Missing];
const GENERATION: u8 = 2;

/// Up to two tokens that stand by, in every standing and of every age that makes a difference.
fn standing_by() -> Vec<Candidates> {
    let one: Vec<_> = [Standing::Untried, Standing::SetAside, Standing::Refused]
        .into_iter()
        .flat_map(|standing| {
            (0..=GENERATION).map(move |presented| Candidate {
                presented,
                token: presented,
                standing,
            })
        })
        .collect();
    let mut lists = vec![Candidates::default()];
    for first in &one {
        lists.push(Candidates::from_vec(&[*first]));
        for second in &one {
            let second = Candidate {
                token: second.token + 4,
                ..*second
            };
            lists.push(Candidates::from_vec(&[*first, second]));
        }
    }
    lists
}

fn statuses() -> Vec<Status> {
    let suspect = |refusals| [false, true].map(|due| Status::Suspect { refusals, due });
    let mut all = vec![
        Status::Active,
        Status::Reauthorize(Reason::Revoked),
        Status::Reauthorize(Reason::AnswerLost),
    ];
    all.extend((0..4).flat_map(suspect));
    all
}

fn rows() -> Vec<Row> {
    let intent = Intent {
        owner: 0,
        dead: false,
        age: 0,
    };
    let mut rows = Vec::new();
    for candidates in standing_by() {
        for status in statuses() {
            for unanswered in DOUBTS {
                for intent in [None, Some(intent)] {
                    rows.push(Row {
                        generation: GENERATION,
                        minting: 1,
                        status,
                        refresh: 8,
                        candidates,
                        intent,
                        unanswered,
                        ..Row::logged_in(1)
                    });
                }
            }
        }
    }
    rows
}

/// Tickets for the row, and for what it was before in one way or another.
fn tickets() -> Vec<Ticket> {
    let now = Ticket {
        epoch: 1,
        generation: GENERATION,
        minting: 1,
        current: true,
    };
    let late = Ticket {
        current: false,
        ..now
    };
    let minted = Ticket { minting: 0, ..late };
    let replaced = Ticket {
        generation: GENERATION - 1,
        ..minted
    };
    let ended = Ticket { epoch: 0, ..late };
    vec![now, late, minted, replaced, ended]
}

fn answers(before: Doubt) -> [Minted; 3] {
    let minted = |access, replaced| Minted {
        access,
        link: 9,
        replaced,
        before,
    };
    [
        minted(true, Some(9)),
        minted(true, None),
        minted(false, Some(9)),
    ]
}

fn ask_all(model: &Protocol, row: &Row) {
    model.rules_successor(row);
    for (place, _) in row.candidates.iter().enumerate() {
        model.rules_promote(row, place);
    }
    for ticket in tickets() {
        for before in DOUBTS {
            model.rules_refuse(row, ticket, before);
            for minted in answers(before) {
                model.rules_commit(row, ticket, minted);
            }
        }
        let missing = Resolution::Unknown {
            missing: true,
            pause: true,
        };
        model.rules_resolve(row, ticket, missing);
        model.rules_resolve(row, ticket, Resolution::Untouched);
    }
}

#[test]
fn the_rules_are_the_library_s_on_every_small_row() {
    let tie = Arc::new(Tie::new());
    let model = run::tied(Mode::Strict, &tie);
    for row in rows() {
        ask_all(&model, &row);
    }
    println!("{} answers of the library compared", tie.compared());
}
