//! Every order that two processes can bring the transitions into.

use super::*;

/// What two processes and a user may do, in any order.
#[derive(Debug, Clone)]
enum Step {
    Arm(bool),
    Granted { first: bool, rotated: bool },
    Refused(bool),
    Faulted(bool),
    Logout,
    Login,
    Pass(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(Step::Arm),
        4 => (any::<bool>(), any::<bool>())
            .prop_map(|(first, rotated)| Step::Granted { first, rotated }),
        2 => any::<bool>().prop_map(Step::Refused),
        2 => any::<bool>().prop_map(Step::Faulted),
        1 => Just(Step::Logout),
        1 => Just(Step::Login),
        3 => (0..40_000_u16).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..60)
}

fn login(row: &GrantRow, now: &Moment) -> GrantRow {
    let tokens = full_row("x").tokens.unwrap();
    let consented = Consented {
        app: row.app.clone(),
        client_id: row.client_id.clone(),
        at: now.wall,
        origin: None,
        consent: Consent {
            authorized_at: now.wall,
            reauthorize_by: UnixMillis(now.wall.0 + HALF_A_YEAR),
            latest: None,
        },
        scope: row.scope.clone(),
        account: None,
        data_key: tokens.data_key,
        refresh: tokens.refresh,
        access: tokens.access.unwrap(),
    };
    consent(row, consented).row
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_order_of_events_goes_backwards_or_crosses_a_login(steps in steps()) {
        let app = AppState::default();
        let mut row = row();
        let mut tickets: [Option<Ticket>; 2] = [None, None];
        let mut now = at(1_000);
        for step in steps {
            let before = row.clone();
            let mut answered = false;
            match step {
                Step::Pass(millis) => now = at(now.wall.0 + i64::from(millis)),
                Step::Logout => row = sign_out(&row, now.wall).row,
                Step::Login => row = login(&row, &now),
                Step::Arm(first) => {
                    let instance = if first { ONE } else { OTHER };
                    if let Ok((change, ticket)) = arm(&row, &ask(&now, &app, instance)) {
                        prop_assert!(ticket.fence > before.fence);
                        prop_assert!(change.row.intent.is_some(), "durable before it is used");
                        row = change.row;
                        tickets[usize::from(first)] = Some(ticket);
                    }
                }
                Step::Granted { first, rotated } => {
                    let Some(ticket) = tickets[usize::from(first)].take() else { continue };
                    answered = true;
                    match commit(&row, &ticket, &minted(&now, rotated), &now) {
                        Commit::Current(change) => {
                            let newest = before.intent.is_none() && ticket.minting == before.minting;
                            prop_assert!(ticket.fence == before.fence || newest);
                            prop_assert_eq!(change.row.consent, before.consent);
                            row = change.row;
                        }
                        Commit::Late(Some(change)) => {
                            prop_assert!(rotated && change.row.candidates.len() <= 8);
                            prop_assert_eq!(&change.row.tokens, &before.tokens);
                            row = change.row;
                        }
                        Commit::Late(None) => prop_assert!(!rotated),
                        Commit::Closed => prop_assert_ne!(ticket.epoch, before.epoch),
                    }
                }
                Step::Refused(first) => {
                    let Some(ticket) = tickets[usize::from(first)].take() else { continue };
                    match refuse(&row, &ticket, &evidence(Before::Nothing), false, &now) {
                        Refusal::Judged(change) => row = change.row,
                        Refusal::Promotable(candidate) => {
                            row = promote(&row, &candidate, &exchange(), &now).unwrap().row;
                        }
                        Refusal::Moved => {}
                    }
                    prop_assert_eq!(row.tokens.is_some(), before.tokens.is_some(), "nothing erased");
                }
                Step::Faulted(first) => {
                    let Some(ticket) = tickets[usize::from(first)].take() else { continue };
                    let unknown = Resolution::Unknown {
                        http_status: None,
                        why: String::new(),
                        missing: true,
                        pause: Duration::ZERO,
                    };
                    if let Some(change) = resolve(&row, &ticket, &unknown, &now) {
                        prop_assert_eq!(&change.row.status, &before.status);
                        row = change.row;
                    }
                }
            }
            prop_assert!((row.epoch, row.generation, row.minting) >= (before.epoch, before.generation, before.minting));
            prop_assert!(row.fence >= before.fence);
            prop_assert!(answered || row.minting == before.minting || row.epoch > before.epoch);
            if let Status::SignedOut { .. } = row.status {
                prop_assert!(row.tokens.is_none() && row.candidates.is_empty());
            }
        }
    }
}
