//! Requests that somebody has damaged: refused or closed, and forgotten.
//!
//! `REFRAIN_MALFORMED` sets how many there are; a hundred thousand take some minutes.

use tokio::task::JoinSet;

use crate::{
    dice::{Dice, count_panics, number, open_files, panics, resident},
    place::Place,
    wire::{self, Line, responses},
};

const USUAL: u64 = 4_000;
const AT_ONCE: usize = 96;
/// What stands in requests, and what has been used to break the readers of some.
const WORDS: [&str; 36] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\0",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "/",
    "//",
    "..",
    "%2e",
    "%00",
    "%",
    "#",
    "?",
    "\\",
    "\u{e9}",
    "\u{feff}",
    "HTTP/1.1",
    "HTTP/9.9",
    "Host: decoy\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: \r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n",
    "Upgrade: h2c\r\n",
    "0\r\n\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "Authorization: Bearer rfk_\r\n",
    "http://decoy/",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_requests_are_refused_and_leave_nothing_behind() {
    count_panics();
    let before = panics();
    let place = Place::alone(&["alice"]).await;
    let key = place.key("alice").await;
    let most = number("REFRAIN_MALFORMED").unwrap_or(USUAL);
    let most = usize::try_from(most).unwrap();
    let valid = valid(&place, &key);
    let talker = place.talker(&key);
    let mut dice = Dice::new();
    let (mut asked, mut served, mut refused) = (0, 0, 0);
    let mut warm = None;
    while asked < most {
        let mut some = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (bytes, talker) = (damaged(&valid, &mut dice), talker.clone());
            some.spawn(async move { (talker.say(&bytes).await, bytes) });
        }
        asked += AT_ONCE;
        let (mut good, mut lost) = (0, Vec::new());
        for (said, bytes) in some.join_all().await {
            let shown = bytes.escape_ascii().to_string();
            assert!(said.took < wire::HANG, "{:?}: {shown}", said.took);
            let (answers, rest) =
                responses(&said.bytes).unwrap_or_else(|fault| unreachable!("{fault}: {shown}"));
            assert_eq!(rest, 0, "{shown}");
            if said.reset {
                // Closed over what it had not read: an answer before that may not have arrived.
                lost.push(shown.clone());
            }
            good += answers.iter().filter(|it| it.succeeded()).count();
            for answer in answers {
                refused += usize::from(!answer.succeeded());
                assert!(
                    answer.status == 200 || (400..500).contains(&answer.status),
                    "{}: {shown}",
                    answer.status
                );
            }
        }
        // What was not damaged enough is served, and counted on both sides.
        let heard = place.recorder.take().len();
        assert!(
            (good..=good + lost.len()).contains(&heard),
            "{good} served, {heard} arrived; {lost:#?}"
        );
        served += good;
        if warm.is_none() && asked >= 2_000 {
            warm = Some((open_files(), resident()));
        }
    }
    let alive = Line::to(place.address)
        .await
        .ask(&place.plain("/v1/alive", &key))
        .await;
    assert_eq!(alive.map(|it| it.status), Some(200), "the server lives on");
    let (files, memory) = warm.unwrap();
    let (files_now, memory_now) = (open_files(), resident());
    println_figures(
        asked,
        served,
        refused,
        (files, memory),
        (files_now, memory_now),
    );
    assert!(
        files_now <= files + 3 * AT_ONCE,
        "{files} files became {files_now}"
    );
    assert!(
        memory_now <= memory + 48 * 1024,
        "{memory} KiB became {memory_now}"
    );
    assert!(
        served > 0 && refused > asked / 4,
        "{served} of {asked} served, {refused} refused"
    );
    place.recorder.assert_clean();
    assert_eq!(panics(), before);
}

#[expect(clippy::print_stderr, reason = "figures for whoever watches")]
fn println_figures(
    asked: usize,
    served: usize,
    refused: usize,
    before: (usize, u64),
    after: (usize, u64),
) {
    eprintln!(
        "{asked} damaged requests: {served} served, {refused} refused, others closed; \
         files {} then {}, memory {} then {} KiB",
        before.0, after.0, before.1, after.1
    );
}

/// What is damaged.
fn valid(place: &Place, key: &str) -> Vec<Vec<u8>> {
    let form = format!("grant_type=refresh_token&refresh_token={key}x");
    let own = place.address;
    [
        place.plain("/v1/me?limit=5", key),
        place.with_body("/v1/me/playlists", key, r#"{"name":"one"}"#),
        place.chunked("/v1/me/playlists", key, &["hello", "world"]),
        format!(
            "POST /api/token HTTP/1.1\r\nHost: {own}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ),
        format!("{}{}", place.plain("/v1/a", key), place.plain("/v1/b", key)),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// One of them with some things wrong with it.
fn damaged(valid: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = valid[dice.below(valid.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len().max(1));
        let end = at + dice.below(20).min(bytes.len().saturating_sub(at));
        match dice.below(8) {
            0 if !bytes.is_empty() => bytes[at] = dice.byte(),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            2 => bytes.insert(at, dice.byte()),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = dice.below(bytes.len().max(1));
                bytes.splice(to..to, piece);
            }
            5 | 6 => {
                let word = WORDS[dice.below(WORDS.len())];
                bytes.splice(at..at, word.bytes());
            }
            _ if dice.one_in(6) => bytes.truncate(at),
            _ => {
                let other = &valid[dice.below(valid.len())];
                let from = dice.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}
