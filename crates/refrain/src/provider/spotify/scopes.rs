//! What Spotify's scopes allow, for whoever is asked for them.

/// What a scope allows, as the end of "It may …"; `None` for one that Spotify does not document.
pub fn scope_words(scope: &str) -> Option<&'static str> {
    Some(match scope {
        "app-remote-control" => "control Spotify on this device",
        "playlist-modify-private" => "change your private playlists",
        "playlist-modify-public" => "change your public playlists",
        "playlist-read-collaborative" => "see the playlists that you share with others",
        "playlist-read-private" => "see your private playlists",
        "streaming" => "play music through your account",
        "ugc-image-upload" => "set pictures of your playlists",
        "user-follow-modify" => "change whom you follow",
        "user-follow-read" => "see whom you follow",
        "user-library-modify" => "change what you have saved",
        "user-library-read" => "see what you have saved",
        "user-modify-playback-state" => "start, stop and skip what you play",
        "user-read-currently-playing" => "see what you are playing",
        "user-read-email" => "see your e-mail address",
        "user-read-playback-position" => "see how far you have heard episodes",
        "user-read-playback-state" => "see what you play, and on which device",
        "user-read-private" => "see your country and the kind of your subscription",
        "user-read-recently-played" => "see what you have played lately",
        "user-top-read" => "see what you play most",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::spotify::SCOPES;

    #[test]
    fn every_scope_has_words_of_its_own() {
        let words: std::collections::BTreeSet<_> = SCOPES
            .iter()
            .map(|scope| scope_words(scope).unwrap())
            .collect();
        assert_eq!(words.len(), SCOPES.len());
        assert_eq!(scope_words("user-read-everything"), None);
    }
}
