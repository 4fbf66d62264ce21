//! What the doctor itself may find, each thing once: its stable code, how bad it is, and what to do.
//!
//! What the library calls by a code of its own (a key file that cannot be read, say) keeps that one.

use super::Level;

/// Something that is not well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Complaint {
    /// Stable, for programs.
    pub(crate) code: &'static str,
    pub(crate) level: Level,
    /// What it means, for the list of all codes; a finding says more.
    #[cfg(test)]
    pub(crate) means: &'static str,
    /// What to do, where a finding does not know better.
    pub(crate) fix: &'static str,
}

macro_rules! complaints {
    ($($name:ident: $level:ident $code:literal, $means:literal, $fix:literal;)*) => {
        $(pub(crate) const $name: Complaint = Complaint {
            code: $code,
            level: Level::$level,
            #[cfg(test)]
            means: $means,
            fix: $fix,
        };)*

        /// All there are.
        #[cfg(test)]
        pub(crate) const ALL: &[Complaint] = &[$($name),*];
    };
}

complaints! {
    NO_APP: Fail "config_no_app",
        "the configuration names no app", "run `refrain init`";
    NOT_CHECKED: Warn "not_checked",
        "the credentials are not asked about while the configuration is broken",
        "mend the configuration first";

    FILE_MISSING: Fail "file_missing",
        "a file or folder cannot be looked at", "see that it is there, and let this user read it";
    FILE_MODE: Fail "file_mode",
        "other users of this machine may open or change it", "take their permissions away: chmod";
    FILE_READABLE: Warn "file_readable",
        "other users may read the configuration, which holds no secret", "chmod 600";
    FOLDER_MODE: Warn "folder_mode",
        "other users may look into a folder of refrain's", "chmod 700";

    CLIENT_ID_SHAPE: Warn "client_id_shape",
        "a client id does not look like Spotify's: quotes, spaces, id and secret in one, base64 of both",
        "copy it alone from https://developer.spotify.com/dashboard";
    CLIENT_SECRET_SHAPE: Warn "client_secret_shape",
        "the same of a client secret, or it is the id once more",
        "copy it alone from https://developer.spotify.com/dashboard";
    CLIENT_SWAPPED: Fail "client_swapped",
        "client id and client secret stand in each other's place, and work the other way round",
        "put each in the other's place, and make a new secret in the dashboard: the old one stood where \
         ids stand";
    CLIENT_SECRET_WRONG: Fail "client_secret_wrong",
        "Spotify knows the client id and refuses its secret, which is wrong or was rotated",
        "copy the secret anew from https://developer.spotify.com/dashboard";
    CLIENT_UNKNOWN: Fail "client_unknown",
        "Spotify has no app of this client id: mistyped, or deleted",
        "copy the client id anew from https://developer.spotify.com/dashboard";

    REDIRECT_HYPHEN: Warn "redirect_hyphen",
        "Spotify is known to refuse loopback redirect URIs with a hyphen in the path",
        "use a path without a hyphen, such as /callback, here and in Spotify's dashboard";
    REDIRECT_SPELLING: Warn "redirect_spelling",
        "the redirect URI is sent as it is written, and browsers write it otherwise",
        "write it as browsers do, here and in Spotify's dashboard, which compares every byte";
    REDIRECT_UNREGISTERED: Fail "redirect_unregistered",
        "the redirect URI that is sent is not registered for the app, byte for byte",
        "add exactly this one in Spotify's dashboard (your app, Edit settings, Redirect URIs, Add, Save); it \
         can take some minutes";
    REDIRECT_REFUSED: Fail "redirect_refused",
        "Spotify calls the redirect URI insecure",
        "use http://127.0.0.1:4280/callback, here and in Spotify's dashboard";
    SCOPE_UNKNOWN: Warn "scope_unknown",
        "the app asks for a scope that Spotify does not document",
        "correct the spelling; Spotify shows \"Illegal scope\" for such a login";
    SCOPE_REFUSED: Fail "scope_refused",
        "Spotify answers \"Illegal scope\" to what the app asks for",
        "take out what the app may not ask for";
    AUTHORIZE_REFUSED: Fail "authorize_refused",
        "Spotify's authorization page refuses the app's request in other words",
        "open the address of `refrain login --no-browser`, and see what Spotify says";
    AUTHORIZE_UNCLEAR: Warn "authorize_unclear",
        "Spotify's authorization page did not answer as it does, so that nothing is known",
        "try again in a minute; a login shows more";

    PORT_TAKEN: Warn "port_taken",
        "another program listens where a login would wait for the browser",
        "end that program while you log in, or paste the address that the browser ends on";
    PORT_REFUSED: Warn "port_refused",
        "the system lets nobody listen where a login would wait for the browser",
        "choose a port above 1023, here and in Spotify's dashboard";
    CALLBACK_UNREACHABLE: Warn "callback_unreachable",
        "the redirect URI leads to a host that cannot be reached from here",
        "start `refrain serve` there, or paste the address that the browser ends on into `refrain login \
         --no-browser`";
    CALLBACK_ELSEWHERE: Warn "callback_elsewhere",
        "something answers at the redirect URI, and it is no refrain",
        "let the proxy in front pass that path on to `refrain serve`, or paste the address that the browser \
         ends on into `refrain login --no-browser`";

    DNS_FAILED: Fail "dns_failed",
        "the name of Spotify's host is not found", "check the name servers of this machine: getent hosts";
    TLS_FAILED: Fail "tls_failed",
        "a connection came about and no trust in it: a certificate, a clock far off, somebody in between",
        "install the certificates of this system (ca-certificates), look at the clock, and see whether a \
         proxy opens connections here";
    PROXY_FAILED: Fail "proxy_failed",
        "the proxy of network.proxy does not lead to Spotify",
        "check network.proxy, its address and its password";
    PROXY_NOT_USED: Warn "proxy_not_used",
        "the environment names a proxy, and refrain does not use it",
        "if Spotify is reached through that proxy alone, set network.proxy = \"environment\"";
    CLOCK_SKEW: Warn "clock_skew",
        "this machine's clock is more than five minutes off",
        "set the clock, best by NTP: timedatectl set-ntp true";

    KEY_OLD: Warn "key_old",
        "the key file still holds a master key that was replaced",
        "run `refrain sealing rotate`, which removes it once nothing needs it";
    KEY_AGE: Warn "key_age",
        "the master key has not been replaced for more than a year",
        "run `refrain sealing rotate`";
    KEY_ROWS_OLD: Warn "key_rows_old",
        "grants are sealed under a master key that was replaced",
        "run `refrain sealing rotate`, which seals them anew";

    STORAGE_VERSION: Fail "storage_version",
        "this SQLite can damage a store that several processes write",
        "use a refrain with SQLite 3.51.3 or newer";
    STORAGE_JOURNAL: Fail "storage_journal",
        "the journal of the store is no write-ahead log",
        "put the store on a local file system that has shared memory";
    STORAGE_SYNCHRONOUS: Fail "storage_synchronous",
        "commits are not synced: a power cut could lose a token", "use refrain's own settings";
    STORAGE_FOLLOWS: Fail "storage_follows",
        "the PostgreSQL server follows another one and takes no writes",
        "let `store` name the server that it follows";
    STORAGE_OUTDATED: Warn "storage_outdated",
        "the store has the layout of an older refrain, and was not looked into",
        "make a backup, and run any other command, such as `refrain list`: it brings the layout up to date";
    ROW_UNREADABLE: Fail "row_unreadable",
        "the row of a grant cannot be read; the others are",
        "restore the store from a backup, or log in again";

    APP_THROTTLED: Warn "app_throttled",
        "Spotify wants an app to leave its token endpoint alone for a while",
        "wait; a token that still works is served meanwhile";
    APP_REFUSED: Warn "app_refused",
        "Spotify refuses many grants of an app at once; nobody is condemned over it", "wait";
    API_RATE_LIMITED: Warn "api_rate_limited",
        "the app has asked the Web API too often, and waits", "wait";
    API_QUOTA_EXCEEDED: Warn "api_quota_exceeded",
        "the developer account has used up what it may ask of the Web API, and waits", "wait";
    APP_SEATS: Warn "app_seats",
        "more than five Spotify accounts use an app, and one in development mode serves five",
        "use another app for the rest, unless this one has extended quota";

    GRANT_REAUTHORIZE: Fail "grant_reauthorize",
        "a grant needs a new login", "run `refrain login` for it";
    GRANT_REAUTHORIZE_SOON: Warn "grant_reauthorize_soon",
        "the consent of a grant ends within 30 days", "run `refrain login` for it";
    GRANT_CONSENT_OVER: Warn "grant_consent_over",
        "the six months of a consent are over, and Spotify has not refused it yet",
        "run `refrain login` for it";
    GRANT_SUSPECT: Warn "grant_suspect",
        "Spotify refused a grant earlier than it should; it is asked again, and nothing was deleted",
        "wait, or ask now: `refrain refresh`";
    GRANT_RESTORED: Warn "grant_restored",
        "the token of a grant is from a backup, and Spotify may have replaced it since",
        "try it: `refrain refresh`";
    GRANT_IMPORTED: Warn "grant_imported",
        "a grant was imported, and Spotify has not accepted its token here yet", "try it: `refrain refresh`";
    GRANT_CONSENT_UNKNOWN: Warn "grant_consent_unknown",
        "a grant was imported, nobody knows when its user consented, and that may end within a month",
        "run `refrain login` for it";
    GRANT_TROUBLE: Warn "grant_trouble",
        "the last refreshes of a grant met a fault, and are tried again", "wait; `refrain why` tells more";
    GRANT_SCOPES: Warn "grant_scopes",
        "a grant lacks a scope that its app asks for now", "run `refrain login` for it";
    GRANT_APP_UNKNOWN: Warn "grant_app_unknown",
        "a grant belongs to an app that the configuration does not have",
        "put the app back under that name, or sign the grant out: `refrain logout`";
    TOKEN_TWO_OWNERS: Warn "token_two_owners",
        "Spotify refused a refresh token early, which it replaces with each use: another program may have \
         used it, or the user took the consent back, or the store was copied",
        "end the other program, give it a login of its own, and run `refrain login` for this grant";
    LEASE_STUCK: Warn "lease_stuck",
        "a process said that it would refresh a grant, did not come back, and nobody has taken over",
        "run `refrain refresh`, which takes over";
    KEY_SCOPES: Warn "key_scopes",
        "an API key allows what the scopes of a grant do not: to change something",
        "log in with a scope that changes something, or make a key with --allow proxy:read";

    SECRET_IN_LOG: Fail "secret_in_log",
        "the log at its most talkative had a secret in it", "report this; until then log at `warn`";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_complaint_has_one_code_and_something_to_do() {
        let codes: std::collections::BTreeSet<_> = ALL.iter().map(|it| it.code).collect();
        assert_eq!(codes.len(), ALL.len());
        assert!(
            ALL.iter()
                .all(|it| it.level != Level::Ok && !it.fix.is_empty())
        );
    }
}
