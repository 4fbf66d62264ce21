use super::*;

const END: UnixMs = 1_000_000;

fn chain() -> (Chain, usize) {
    let mut chain = Chain::new(1, "app", "alice", END);
    let (first, _) = chain.open(true);
    (chain, first)
}

fn refresh(chain: &mut Chain, link: usize, now: UnixMs, mode: Rotation) -> Result<usize, Refusal> {
    chain
        .present(link, now, mode, mode.rotates(), 7)
        .map(|granted| granted.link)
}

#[test]
fn modes_without_rotation_accept_the_first_token_for_ever() {
    let modes = [
        Rotation::Static,
        Rotation::Omit,
        Rotation::Empty,
        Rotation::Null,
        Rotation::Echo,
    ];
    for mode in modes {
        let (mut chain, first) = chain();
        for now in 0..5 {
            assert_eq!(refresh(&mut chain, first, now, mode), Ok(first), "{mode:?}");
        }
    }
}

#[test]
fn each_mode_has_its_own_refresh_token_member() {
    let (mut chain, first) = chain();
    let field = |chain: &mut Chain, mode| chain.present(first, 0, mode, false, 7).unwrap().field;
    assert_eq!(field(&mut chain, Rotation::Static), RefreshField::Absent);
    assert_eq!(field(&mut chain, Rotation::Omit), RefreshField::Absent);
    assert_eq!(field(&mut chain, Rotation::Empty), RefreshField::Empty);
    assert_eq!(field(&mut chain, Rotation::Null), RefreshField::Null);
    let value = chain.value(first).to_owned();
    assert_eq!(field(&mut chain, Rotation::Echo), RefreshField::Same(value));
}

#[test]
fn strict_refuses_the_old_token_and_keeps_the_new_one() {
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, Rotation::Strict).unwrap();
    assert_eq!(
        refresh(&mut chain, first, 1, Rotation::Strict),
        Err(Refusal::Superseded)
    );
    assert!(refresh(&mut chain, second, 2, Rotation::Strict).is_ok());
}

#[test]
fn family_kill_ends_the_chain_at_the_first_replay() {
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, Rotation::FamilyKill).unwrap();
    assert_eq!(
        refresh(&mut chain, first, 1, Rotation::FamilyKill),
        Err(Refusal::Replayed)
    );
    assert_eq!(
        refresh(&mut chain, second, 2, Rotation::FamilyKill),
        Err(Refusal::Dead(DeathCause::Replay))
    );
    assert_eq!(
        chain.death(2),
        Some(Death {
            why: DeathCause::Replay,
            seq: Some(7)
        })
    );
}

#[test]
fn grace_accepts_the_previous_token_inside_the_window_only() {
    let mode = Rotation::Grace { seconds: 10 };
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, mode).unwrap();
    let retried = refresh(&mut chain, first, 9_999, mode).unwrap();
    assert_ne!(second, retried);
    // The window counts from the first rotation, not from the retry.
    assert_eq!(
        refresh(&mut chain, first, 10_000, mode),
        Err(Refusal::Replayed)
    );
    assert!(chain.death(10_000).is_some());
}

#[test]
fn grace_kills_the_chain_for_a_token_older_than_the_previous_one() {
    let mode = Rotation::Grace { seconds: 10 };
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, mode).unwrap();
    refresh(&mut chain, second, 1, mode).unwrap();
    assert_eq!(refresh(&mut chain, first, 2, mode), Err(Refusal::Replayed));
}

#[test]
fn grace_accepts_each_successor_of_a_retry_until_one_is_used() {
    let mode = Rotation::Grace { seconds: 10 };
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, mode).unwrap();
    let sibling = refresh(&mut chain, first, 1, mode).unwrap();
    refresh(&mut chain, sibling, 2, mode).unwrap();
    assert_eq!(refresh(&mut chain, second, 3, mode), Err(Refusal::Replayed));
}

#[test]
fn until_used_accepts_the_old_token_until_the_new_one_is_presented() {
    let mode = Rotation::UntilUsed;
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, mode).unwrap();
    refresh(&mut chain, second, 1, mode).unwrap();
    assert_eq!(
        refresh(&mut chain, first, 2, mode),
        Err(Refusal::Superseded)
    );
}

#[test]
fn until_used_accepts_the_old_token_until_the_new_access_token_is_used() {
    let mode = Rotation::UntilUsed;
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, mode).unwrap();
    chain.acknowledge(second);
    assert_eq!(
        refresh(&mut chain, first, 1, mode),
        Err(Refusal::Superseded)
    );
    assert!(refresh(&mut chain, second, 2, mode).is_ok());
}

#[test]
fn until_used_withdraws_the_unused_successor_on_a_retry() {
    let mode = Rotation::UntilUsed;
    let (mut chain, first) = chain();
    let lost = refresh(&mut chain, first, 0, mode).unwrap();
    let granted = chain.present(first, 1, mode, true, 7).unwrap();
    assert_eq!(granted.withdrawn, [lost]);
    assert_eq!(refresh(&mut chain, lost, 2, mode), Err(Refusal::Withdrawn));
    assert!(refresh(&mut chain, granted.link, 3, mode).is_ok());
}

#[test]
fn every_token_ends_with_the_authorization() {
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, Rotation::Strict).unwrap();
    assert_eq!(
        refresh(&mut chain, second, END, Rotation::Strict),
        Err(Refusal::Expired)
    );
    assert_eq!(
        chain.death(END),
        Some(Death {
            why: DeathCause::Expired,
            seq: None
        })
    );
}

#[test]
fn an_undelivered_successor_is_usable_but_not_proven() {
    let (mut chain, first) = chain();
    let second = refresh(&mut chain, first, 0, Rotation::Strict).unwrap();
    let (usable, proven) = chain.usable(1, Rotation::Strict);
    assert_eq!(usable, [mint::fingerprint(chain.value(second))]);
    assert!(!proven);
    chain.prove(second);
    assert!(chain.usable(1, Rotation::Strict).1);
}

/// What a client may do next, in the exhaustive test.
#[derive(Debug, Clone, Copy)]
enum Step {
    PresentFirst,
    PresentPrevious,
    PresentNewest,
    UseNewest,
    Wait,
}

const STEPS: [Step; 5] = [
    Step::PresentFirst,
    Step::PresentPrevious,
    Step::PresentNewest,
    Step::UseNewest,
    Step::Wait,
];

/// Every sequence of six steps in every mode keeps the rules that the modes share.
#[test]
fn no_sequence_of_steps_breaks_the_rules() {
    let modes = [
        Rotation::Static,
        Rotation::Echo,
        Rotation::Grace { seconds: 10 },
        Rotation::Strict,
        Rotation::FamilyKill,
        Rotation::UntilUsed,
    ];
    for mode in modes {
        for number in 0..STEPS.len().pow(6) {
            let steps: Vec<Step> = (0..6)
                .map(|place| STEPS[number / STEPS.len().pow(place) % STEPS.len()])
                .collect();
            follow(mode, &steps);
        }
    }
}

fn follow(mode: Rotation, steps: &[Step]) {
    let (mut chain, first) = chain();
    // Our own account of the tokens: what was given for what.
    let mut parents = vec![None];
    let mut now = 0;
    for step in steps {
        let newest = parents.len() - 1;
        let presented = match step {
            Step::PresentFirst => first,
            Step::PresentPrevious => newest.saturating_sub(1),
            Step::PresentNewest => newest,
            Step::UseNewest => {
                chain.prove(newest);
                chain.acknowledge(newest);
                continue;
            }
            Step::Wait => {
                now += 6_000;
                continue;
            }
        };
        let dead = chain.death(now).is_some();
        let (usable, _) = chain.usable(now, mode);
        let listed = usable.contains(&mint::fingerprint(chain.value(presented)));
        let result = chain.present(presented, now, mode, mode.rotates(), 7);
        let context = || format!("{mode:?} {steps:?} at {step:?}");
        assert_eq!(result.is_ok(), listed, "{}", context());
        assert!(!(dead && result.is_ok()), "{}", context());
        let has_grandchild = parents.iter().flatten().any(|parent| {
            let parent: usize = *parent;
            parents[parent] == Some(presented)
        });
        assert!(!(has_grandchild && result.is_ok()), "{}", context());
        match result {
            Ok(granted) if mode.rotates() => {
                assert_eq!(granted.link, parents.len(), "{}", context());
                parents.push(Some(presented));
                let (usable, _) = chain.usable(now, mode);
                let value = mint::fingerprint(chain.value(granted.link));
                assert!(usable.contains(&value), "{}", context());
            }
            Ok(granted) => assert_eq!(granted.link, presented, "{}", context()),
            Err(_) => {
                let kills = matches!(mode, Rotation::FamilyKill | Rotation::Grace { .. });
                assert_eq!(chain.death(now).is_some(), kills, "{}", context());
            }
        }
        // Nothing but a death leaves a client without any way on.
        let (usable, _) = chain.usable(now, mode);
        assert_eq!(
            usable.is_empty(),
            chain.death(now).is_some(),
            "{}",
            context()
        );
    }
}
