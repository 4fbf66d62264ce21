//! The scenes, in their order.

pub(super) mod beginning;
pub(super) mod end;
pub(super) mod processes;
pub(super) mod trouble;

use refrain::time::UnixMillis;

use super::Scene;

/// The day of an instant, for people.
fn day(at: UnixMillis) -> String {
    at.to_string()
        .split('T')
        .next()
        .unwrap_or_default()
        .to_owned()
}

pub(super) const SCENES: [Scene; 11] = [
    Scene {
        title: "Alice signs in",
        story: "Alice agrees once, in her browser. refrain trades Spotify's answer for the two \
            tokens, and seals both before anything uses them.",
        promise: "No token is readable on disk",
        play: |stage, notes| Box::pin(beginning::sign_in(stage, notes)),
    },
    Scene {
        title: "A program calls the Web API",
        story: "It asks refrain for a token, and never sees how the token came to be.",
        promise: "A token in hand costs nothing",
        play: |stage, notes| Box::pin(beginning::call(stage, notes)),
    },
    Scene {
        title: "The hour is over, and a thousand callers ask at once",
        story: "The clock goes forward by an hour, here and at Spotify. The access token is dead. If \
            two callers showed the refresh token at the same time, the second one would show an old \
            one.",
        promise: "One refresh, however many ask",
        play: |stage, notes| Box::pin(beginning::thousand(stage, notes)),
    },
    Scene {
        title: "Spotify rejects a token before its time",
        story: "It happens. The API answers 401; refrain gets another token and makes the call again, \
            and the caller sees only the second answer.",
        promise: "A 401 is repaired unseen",
        play: |stage, notes| Box::pin(beginning::rejected(stage, notes)),
    },
    Scene {
        title: "Spotify is out of order",
        story: "Its login service answers 503, then HTML pages. That says nothing about Alice: her \
            token still works for some minutes, and nobody has to log in again.",
        promise: "An outage asks nobody to log in",
        play: |stage, notes| Box::pin(trouble::outage(stage, notes)),
    },
    Scene {
        title: "An answer is lost on the way",
        story: "Spotify replaces the refresh token, and the connection breaks before the new one \
            arrives. Where Spotify takes the old one for another 30 seconds, refrain shows it again, \
            in time.",
        promise: "A lost answer is recovered, or named",
        play: |stage, notes| Box::pin(trouble::lost(stage, notes)),
    },
    Scene {
        title: "Four programs at once",
        story: "Bob logs in; his first access token lives two seconds. When they are over, four \
            processes of this very program, `refrain token bob`, start on the same file. In \
            this scene and the next the clock is the real one.",
        promise: "One refresh, however many processes",
        play: |stage, notes| Box::pin(processes::four(stage, notes)),
    },
    Scene {
        title: "kill -9 in the middle of a refresh",
        story: "A process shows Bob's refresh token, Spotify replaces it, and the process is killed \
            before it has the answer. Before it spoke, it wrote down that it would. (Spotify takes an \
            old token for another 30 seconds here: without that, nobody could help.)",
        promise: "A killed process is taken over",
        play: |stage, notes| Box::pin(processes::killed(stage, notes)),
    },
    Scene {
        title: "Spotify says no, and is wrong",
        story: "It answers invalid_grant: this refresh token is no good. A program that believes it \
            deletes the token, and Alice is out. But her six months are far from over, so refrain \
            doubts it.",
        promise: "A refusal is verified first",
        play: |stage, notes| Box::pin(trouble::refused(stage, notes)),
    },
    Scene {
        title: "Six months later",
        story: "Spotify ends every authorization six months after the consent, whatever is done. \
            refrain has known the day since Alice signed in.",
        promise: "The end is known, a login mends it",
        play: |stage, notes| Box::pin(end::expired(stage, notes)),
    },
    Scene {
        title: "Alice logs out",
        story: "Her tokens go, and the key that only they were sealed with. What is at Spotify, only \
            Alice can remove.",
        promise: "Logging out destroys what is here",
        play: |stage, notes| Box::pin(end::logout(stage, notes)),
    },
];
