//! `refrain logout`: what was destroyed here, and what only the user can end at Spotify.

use crate::{
    args::{GlobalArgs, GrantArgs},
    output,
    report::Explanation,
};
use refrain::{
    json::LoggedOutJson, keeper::logout::LoggedOut, provider::spotify::USER_APPS_URL,
    time::UnixMillis, words::logout as words,
};

pub(super) async fn run(global: &GlobalArgs, args: &GrantArgs) -> Result<(), Explanation> {
    let refrain = super::open(global).await?;
    let done = async {
        super::grant(&refrain, args.grant.as_ref())
            .await?
            .logout()
            .await
    }
    .await;
    let now = refrain.parts().clock.wall();
    super::close(&refrain).await;
    let done = done?;
    if global.json {
        output::json(&LoggedOutJson::of(&done, now))
    } else {
        output::text(&to_text(&done, now))
    }
}

fn to_text(done: &LoggedOut, now: UnixMillis) -> String {
    let grant = &done.grant;
    let (asked, access) = (
        words::revocation(&done.revocation),
        words::access(done, now),
    );
    format!(
        "{grant} is signed out. Destroyed here: the refresh token, the access token, and the key that \
         sealed them.\n{asked}\n{access}\n\
         To take the consent back at Spotify as well, the user removes the app at {USER_APPS_URL}\n\
         The next `refrain login {grant}` asks for consent anew.\n"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use refrain::keeper::logout::Revocation;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_000_000_000);

    fn done(revocation: Revocation) -> LoggedOut {
        LoggedOut {
            grant: "alice".parse().unwrap(),
            access_until: Some(NOW.after(Duration::from_secs(61))),
            revocation,
        }
    }

    #[test]
    fn an_answer_is_not_taken_for_more_than_it_is() {
        let text = to_text(&done(Revocation::Answered { status: 200 }), NOW);
        assert!(text.contains("proves nothing"), "{text}");
        assert!(text.contains("(2 minutes)"), "{text}");
        let text = to_text(&done(Revocation::Answered { status: 503 }), NOW);
        assert!(text.contains("HTTP 503: nothing was revoked"), "{text}");
        let text = to_text(&done(Revocation::NotOffered), NOW);
        assert!(text.contains("was not asked"), "{text}");
    }

    #[test]
    fn a_program_learns_the_same() {
        let failed = Revocation::Failed {
            why: "no route".to_owned(),
        };
        let json = serde_json::to_value(LoggedOutJson::of(&done(failed), NOW)).unwrap();
        assert_eq!(json["revocation"], "failed");
        assert_eq!(json["revocation_error"], "no route");
        assert_eq!(json["access_minutes"], 2);
    }
}
