//! The cookies of sessions.

use http::HeaderValue;
use refrain::session::{SessionRecord, SessionToken};

use super::sealed::Belongs;
use crate::{cookie, fault::Fault, visit::Visit};

/// The cookie of somebody who runs refrain, at a host. Cookies know no ports: on loopback, where another
/// server may be a port away, its number is in the name.
pub(super) fn admin(host: &str) -> String {
    of("refrain-admin", host)
}

/// The cookie of a user.
pub(super) fn user(host: &str) -> String {
    of("refrain-session", host)
}

/// What makes the next login ask for consent, also where it was given before.
pub(super) fn anew(host: &str) -> String {
    of("refrain-anew", host)
}

/// Where the cookie of a user who asks belongs.
pub(super) fn belongs(visit: &Visit<'_>) -> Result<Belongs, Fault> {
    let host = visit.host()?;
    Ok(Belongs {
        name: user(host),
        origin: visit.authorities().origin(host),
        secure: cookie::is_secure(host),
    })
}

fn of(name: &str, host: &str) -> String {
    let secure = cookie::is_secure(host);
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let port = port.filter(|it| !secure && it.bytes().all(|it| it.is_ascii_digit()));
    let name = port.map_or_else(|| name.to_owned(), |port| format!("{name}-{port}"));
    cookie::name(&name, secure)
}

/// Gives a browser a session, for as long as that lives at most.
pub(super) fn give(
    name: &str,
    host: &str,
    (token, record): (&SessionToken, &SessionRecord),
) -> Option<HeaderValue> {
    let life = record.ends_at.since(record.made_at).as_secs();
    cookie::set(name, token.expose(), cookie::is_secure(host), life)
}

/// Takes it away.
pub(super) fn take_away(name: &str, host: &str) -> Option<HeaderValue> {
    cookie::take_away(name, cookie::is_secure(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_servers_on_one_host_apart_where_cookies_do_not() {
        for (host, name) in [
            ("127.0.0.1:4280", "refrain-admin-4280"),
            ("[::1]:4281", "refrain-admin-4281"),
            ("127.0.0.1", "refrain-admin"),
            ("[::1]", "refrain-admin"),
            ("music.example", "__Host-refrain-admin"),
            ("music.example:8443", "__Host-refrain-admin"),
        ] {
            assert_eq!(admin(host), name, "{host}");
        }
    }
}
