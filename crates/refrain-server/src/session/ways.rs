//! Where a user goes on from a page of ours, which is no place to stay.

use refrain::{provider::spotify::USER_APPS_URL, session::LocalPath};
use url::form_urlencoded::byte_serialize;

use crate::page::Way;

/// To the app, where they were going.
pub(crate) fn home(path: &LocalPath) -> Way {
    Way {
        place: path.as_str().into(),
        words: "Back to the app",
    }
}

/// To where a user takes back what they have agreed to.
pub(super) fn list_at_spotify() -> Way {
    Way {
        place: USER_APPS_URL.into(),
        words: "Your apps at Spotify",
    }
}

/// Of somebody whose login has come to nothing: once more, or back as they are.
pub(crate) fn again(path: &LocalPath) -> Vec<Way> {
    vec![log_in(path, "Sign in again"), home(path)]
}

/// Of somebody of whom it is not known what they began.
pub(crate) fn in_or_home() -> Vec<Way> {
    let root = LocalPath::root();
    vec![log_in(&root, "Sign in to the app"), home(&root)]
}

fn log_in(path: &LocalPath, words: &'static str) -> Way {
    let encoded: String = byte_serialize(path.as_str().as_bytes()).collect();
    Way {
        place: format!("/session/login?return_to={encoded}").into(),
        words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_tries_again_still_goes_where_they_were_going() {
        let path = LocalPath::parse("/list?a=1&b=%2F#c").unwrap();
        let places: Vec<_> = again(&path).into_iter().map(|it| it.place).collect();
        let again = "/session/login?return_to=%2Flist%3Fa%3D1%26b%3D%252F%23c";
        assert_eq!(places, [again.into(), path.as_str().into()]);
    }
}
