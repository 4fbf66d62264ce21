//! A token in the environment, where many scripts have it.

use std::ffi::OsString;

use refrain::lifecycle::row::Bounds;
use zeroize::Zeroizing;

use super::{Found, fault, read, tell::Owner};
use crate::report::Explanation;

/// The names that programs and their examples use.
const NAMES: [&str; 4] = [
    "SPOTIFY_REFRESH_TOKEN",
    "SPOTIPY_REFRESH_TOKEN",
    "SPOTIFY_USER_REFRESH_TOKEN",
    "RSPOTIFY_REFRESH_TOKEN",
];
/// What the name of a variable with a token ends on, and that of its client id.
const ENDS: (&str, &str) = ("REFRESH_TOKEN", "CLIENT_ID");

/// What a variable holds: text, or something else.
type Variable<'a> = &'a dyn Fn(&str) -> Option<Result<String, OsString>>;

pub(super) fn found(
    variable: Option<&str>,
    environment: Variable<'_>,
) -> Result<(Found, Owner), Explanation> {
    let names = match &variable {
        Some(name) => std::slice::from_ref(name),
        None => NAMES.as_slice(),
    };
    let set: Vec<_> = names
        .iter()
        .filter_map(|name| Some((*name, text(name, environment)?)))
        .collect();
    let Some((name, first)) = set.first() else {
        let names = names.join(", ");
        return Err(fault::no_token(
            &format!("the environment ({names})"),
            "set one of these, or name the variable with --variable; never write a token on a command line",
        ));
    };
    let first = first.as_ref().map_err(|()| fault::not_a_token(name))?;
    let differ = set
        .iter()
        .any(|(_, text)| text.as_ref().is_ok_and(|text| text.trim() != first.trim()));
    if differ {
        let names: Vec<_> = set.iter().map(|(name, _)| (*name).to_owned()).collect();
        return Err(fault::several(
            "the environment has different refresh tokens",
            &names,
            "say which one with --variable",
        ));
    }
    Ok((
        Found {
            refresh_token: read::token_of(first, name)?,
            client_id: client_id(name, environment),
            scope: None,
            consent: Bounds::default(),
        },
        Owner::env(name),
    ))
}

/// What a variable holds, where there is something in it; what is not text is no token.
fn text(name: &str, environment: Variable<'_>) -> Option<Result<Zeroizing<String>, ()>> {
    match environment(name)? {
        Ok(text) if text.trim().is_empty() => None,
        Ok(text) => Some(Ok(Zeroizing::new(text))),
        Err(_) => Some(Err(())),
    }
}

/// The client id that stands beside a token, under the same beginning.
fn client_id(name: &str, environment: Variable<'_>) -> Option<refrain::oauth::client::ClientId> {
    let beginning = name.strip_suffix(ENDS.0)?;
    let beginning = beginning.strip_suffix("USER_").unwrap_or(beginning);
    let id = environment(&format!("{beginning}{}", ENDS.1))?.ok()?;
    id.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(
        variables: &'static [(&'static str, &'static str)],
    ) -> impl Fn(&str) -> Option<Result<String, OsString>> {
        move |name| {
            let found = variables.iter().find(|(it, _)| *it == name)?;
            Some(Ok(found.1.to_owned()))
        }
    }

    #[test]
    fn the_usual_names_are_found_with_their_client() {
        let env = with(&[
            ("SPOTIPY_REFRESH_TOKEN", "AQD1"),
            ("SPOTIPY_CLIENT_ID", "0123"),
            ("SPOTIFY_CLIENT_ID", "4567"),
        ]);
        let (found, owner) = found(None, &env).unwrap();
        assert_eq!(found.refresh_token.expose(), "AQD1");
        assert_eq!(found.client_id.unwrap().to_string(), "0123");
        assert!(owner.stop().contains("SPOTIPY_REFRESH_TOKEN"));
    }

    #[test]
    fn any_name_may_be_named() {
        let env = with(&[("TOKEN", "AQD1"), ("SPOTIFY_REFRESH_TOKEN", "AQD2")]);
        let (named, _) = found(Some("TOKEN"), &env).unwrap();
        assert_eq!(named.refresh_token.expose(), "AQD1");
        let (usual, _) = found(None, &env).unwrap();
        assert_eq!(usual.refresh_token.expose(), "AQD2");
    }

    #[test]
    fn two_that_differ_are_not_chosen_between() {
        let env = with(&[
            ("SPOTIFY_REFRESH_TOKEN", "AQDcanary"),
            ("SPOTIPY_REFRESH_TOKEN", "AQDother"),
        ]);
        let error = found(None, &env).unwrap_err();
        assert_eq!(error.code, "import_several");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        let env = with(&[
            ("SPOTIFY_REFRESH_TOKEN", "AQD1"),
            ("SPOTIPY_REFRESH_TOKEN", "AQD1"),
        ]);
        assert!(found(None, &env).is_ok());
    }

    #[test]
    fn nothing_and_nonsense_are_told_apart() {
        let none = found(None, &with(&[("SPOTIFY_REFRESH_TOKEN", " ")])).unwrap_err();
        assert_eq!(none.code, "import_no_token");
        assert!(none.what.contains("SPOTIPY_REFRESH_TOKEN"), "{none:?}");
        let odd = found(None, &with(&[("SPOTIFY_REFRESH_TOKEN", "a canary")])).unwrap_err();
        assert_eq!(odd.code, "import_not_a_token");
        assert!(!format!("{odd:?}").contains("canary"), "{odd:?}");
    }
}
