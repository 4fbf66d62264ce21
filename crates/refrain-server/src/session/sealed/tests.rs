use std::time::Duration;

use refrain::{
    id::{Epoch, GrantId},
    keeper::carried::CarriedAccess,
    lifecycle::row::{Account, Consent},
    random::SystemRandom,
    seal::{DeploymentId, Key, Keyring},
    secret::{AccessToken, RefreshToken},
    session::SessionToken,
};

use super::*;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

fn carried(refresh: &str, access: &str) -> Carried {
    Carried {
        id: GrantId::random(&SystemRandom).unwrap(),
        session: SessionToken::random(&SystemRandom).unwrap().id(),
        step: Step {
            epoch: Epoch(1),
            generation: Generation(7),
            minting: Minting(12),
        },
        app: "default".parse().unwrap(),
        client_id: "client".parse().unwrap(),
        consent: Consent {
            authorized_at: NOW,
            reauthorize_by: NOW.after(Duration::from_secs(9)),
            latest: None,
        },
        scope: "user-read-private streaming".parse().unwrap(),
        account: Some(Account {
            id: "alice".to_owned(),
            display_name: Some("Älice \"A\"".to_owned()),
        }),
        refresh: RefreshToken::new(refresh),
        access: Some(CarriedAccess {
            token: AccessToken::new(access),
            expires_at: NOW.after(Duration::from_secs(3600)),
            life: Duration::from_secs(3600),
        }),
    }
}

fn belongs() -> Belongs {
    Belongs {
        name: "__Host-refrain-session".to_owned(),
        origin: "https://music.example".to_owned(),
        secure: true,
    }
}

fn sealer() -> Sealer {
    let keyring = Keyring::random(&SystemRandom).unwrap();
    let founded = Sealer::found(keyring, DeploymentId(1), &SystemRandom);
    founded.unwrap().0
}

fn sealed(carried: &Carried, sealer: &Sealer) -> Result<String, SealingError> {
    let times = Times::beginning(NOW, Incarnation(7));
    seal(carried, &times, &belongs(), (sealer, &SystemRandom))
}

#[test]
fn a_cookie_reads_back_whole() {
    let (sealer, carried) = (sealer(), carried("a refresh \"\\token", "an access token"));
    let text = sealed(&carried, &sealer).unwrap();
    assert!(text.starts_with(&format!("1.{}.1.7.12.", carried.session)));
    let legal = |it: char| it.is_ascii_alphanumeric() || ".-_".contains(it);
    assert!(text.chars().all(legal), "{text}");
    let (read, times) = open(&text, &belongs(), &sealer).unwrap();
    assert_eq!(times, Times::beginning(NOW, Incarnation(7)));
    assert_eq!(read.refresh.expose(), carried.refresh.expose());
    let (here, there) = (
        read.access.as_ref().unwrap(),
        carried.access.as_ref().unwrap(),
    );
    assert_eq!(here.token.expose(), there.token.expose());
    assert_eq!((here.expires_at, here.life), (there.expires_at, there.life));
    let rest = |it: &Carried| format!("{it:?}");
    assert_eq!(rest(&read), rest(&carried));
    assert!(!rest(&read).contains("token\""), "{read:?}");
}

#[test]
fn of_a_cookie_that_was_changed_nothing_opens() {
    let (sealer, carried) = (sealer(), carried("a refresh token", "an access token"));
    let text = sealed(&carried, &sealer).unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    for at in 0..text.len() {
        let (front, rest) = text.split_at(at);
        let (own, back) = rest.split_at(1);
        let others = alphabet.chars().filter(|it| it.to_string() != own);
        // All of them in front, where they would still read as something.
        let few = if at < 30 { usize::MAX } else { 3 };
        for other in others.take(few) {
            let changed = format!("{front}{other}{back}");
            assert!(open(&changed, &belongs(), &sealer).is_none(), "{changed}");
        }
        assert!(open(front, &belongs(), &sealer).is_none(), "{front}");
    }
    for added in ["A", ".", "=", " ", "AAAA"] {
        assert!(open(&format!("{text}{added}"), &belongs(), &sealer).is_none());
    }
    for none in ["", ".", "1.....", "1.0123456789.1.1.1.", "x"] {
        assert!(open(none, &belongs(), &sealer).is_none(), "{none}");
    }
    assert!(
        open(&text, &belongs(), &sealer).is_some(),
        "as it was, it does"
    );
}

#[test]
fn a_step_and_a_number_written_otherwise_are_no_part_of_a_cookie() {
    let (sealer, carried) = (sealer(), carried("a refresh token", "an access token"));
    let text = sealed(&carried, &sealer).unwrap();
    for (from, to) in [
        (".1.7.", ".1.8."),
        (".1.7.", ".01.7."),
        (".1.7.", ".+1.7."),
        ("1.", "2."),
    ] {
        let changed = text.replacen(from, to, 1);
        assert!(open(&changed, &belongs(), &sealer).is_none(), "{changed}");
    }
}

#[test]
fn a_cookie_opens_under_its_name_at_its_origin_in_its_store_alone() {
    let (sealer, carried) = (sealer(), carried("a refresh token", "an access token"));
    let text = sealed(&carried, &sealer).unwrap();
    let renamed = Belongs {
        name: "refrain-session".to_owned(),
        ..belongs()
    };
    let moved = Belongs {
        origin: "https://music.example:8443".to_owned(),
        ..belongs()
    };
    for elsewhere in [renamed, moved] {
        assert!(open(&text, &elsewhere, &sealer).is_none(), "{elsewhere:?}");
    }
    assert!(open(&text, &belongs(), &self::sealer()).is_none());
    let other = sealed(&self::carried("another", "an access token"), &sealer).unwrap();
    let (head, _) = text.rsplit_once('.').unwrap();
    let (_, body) = other.rsplit_once('.').unwrap();
    assert!(open(&format!("{head}.{body}"), &belongs(), &sealer).is_none());
}

#[test]
fn a_new_master_key_logs_nobody_out() {
    let (deployment, random) = (DeploymentId(1), &SystemRandom);
    let keyring = Keyring::random(random).unwrap();
    let (before, check) = Sealer::found(keyring.clone(), deployment, random).unwrap();
    let text = sealed(&carried("a refresh token", "an access token"), &before).unwrap();
    let next = Key::random(random).unwrap();
    let check = before.reseal_check(&check, &next, random).unwrap();
    let ring = keyring.with_newest(next).without_old(&[]);
    let after = Sealer::open(ring, deployment, &check).unwrap();
    assert!(open(&text, &belongs(), &after).is_some());
}

#[test]
fn what_no_browser_would_keep_is_not_given() {
    let sealer = sealer();
    let size = |text: &str| belongs().name.len() + 1 + text.len();
    let long = |length: usize| carried(&"r".repeat(length), "");
    let fits = |length: usize| sealed(&long(length), &sealer).is_ok();
    // The longest that fits.
    let most = (1000..4000)
        .take_while(|length| fits(*length))
        .last()
        .unwrap();
    let text = sealed(&long(most), &sealer).unwrap();
    assert!((4093..=4096).contains(&size(&text)), "{}", size(&text));
    let error = sealed(&long(most + 1), &sealer).unwrap_err();
    let SealingError::TooLarge(size) = error else {
        panic!("{error:?}");
    };
    assert!((4097..=4100).contains(&size), "{size}");
    assert!(error.to_string().contains("4096"), "{error}");
}

#[test]
fn an_access_token_that_does_not_fit_stays_behind() {
    let sealer = sealer();
    let text = sealed(&carried("a refresh token", &"a".repeat(4000)), &sealer).unwrap();
    let (read, _) = open(&text, &belongs(), &sealer).unwrap();
    assert!(read.access.is_none());
    assert_eq!(read.refresh.expose(), "a refresh token");
}

#[test]
fn a_session_lapses_unused_and_ends_in_any_case() {
    let day = Duration::from_secs(24 * 60 * 60);
    let begun = Times::beginning(NOW, Incarnation(7));
    assert!(!begun.is_over(NOW.after(day * 29)));
    assert!(begun.is_over(NOW.after(day * 30)));
    let used = begun.used(NOW.after(day * 29));
    assert!(!used.is_over(NOW.after(day * 58)));
    let late = begun.used(NOW.after(day * 179));
    assert!(
        late.is_over(NOW.after(day * 180)),
        "its end stays where it is"
    );
}
