//! Where a consent comes back to: whether somebody can wait there, or does.

use refrain::{config::App, oauth::authorization::RedirectUri};

use super::{
    Finding, Patient,
    complaint::{CALLBACK_ELSEWHERE, CALLBACK_UNREACHABLE, PORT_REFUSED, PORT_TAKEN},
};
use crate::{
    callback::{
        BindError, CallbackListener,
        answers::{Answers, ask},
    },
    report,
};

const PORT: &str = "port";
const CALLBACK: &str = "callback";

pub(super) async fn check(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    for app in patient.apps_with_legal_redirect() {
        findings.push(of(patient, app).await);
    }
    findings
}

async fn of(patient: &Patient, app: &App) -> Finding {
    let uri = &app.redirect_uri;
    match CallbackListener::bind(uri).await {
        Ok(listener) => {
            let uri = listener.redirect_uri();
            Finding::ok(PORT, format!("a login can listen at {uri}"))
        }
        Err(BindError::NotHere { .. }) => {
            elsewhere(uri, ask(patient.transport.as_ref(), uri).await)
        }
        Err(error @ BindError::InUse { .. }) => {
            taken(uri, &error, &ask(patient.transport.as_ref(), uri).await)
        }
        Err(error @ (BindError::OwnServer { .. } | BindError::Listen { .. })) => refused(&error),
    }
}

fn refused(error: &BindError) -> Finding {
    Finding::of(PORT, PORT_REFUSED, report::with_causes(error))
}

fn taken(uri: &RedirectUri, error: &BindError, answers: &Answers) -> Finding {
    if *answers == Answers::Refrain {
        let detail =
            format!("refrain's own server listens at {uri}, and finishes logins by its links");
        return Finding::ok(PORT, detail);
    }
    Finding::of(PORT, PORT_TAKEN, error.to_string())
}

fn elsewhere(uri: &RedirectUri, answers: Answers) -> Finding {
    match answers {
        Answers::Refrain => Finding::ok(CALLBACK, format!("a refrain answers at {uri}")),
        Answers::Other => {
            let detail = format!("what answers at {uri} is no refrain");
            Finding::of(CALLBACK, CALLBACK_ELSEWHERE, detail)
        }
        Answers::Nobody(why) => {
            Finding::of(CALLBACK, CALLBACK_UNREACHABLE, format!("{uri}: {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_of_another_host_is_judged_by_who_answers() {
        let uri = "https://music.example/callback".parse().unwrap();
        let code = |answers| elsewhere(&uri, answers).code;
        assert_eq!(code(Answers::Refrain), "ok");
        assert_eq!(code(Answers::Other), "callback_elsewhere");
        assert_eq!(code(Answers::Nobody("no".into())), "callback_unreachable");
    }

    #[test]
    fn a_port_that_the_system_keeps_is_told() {
        let error = BindError::Listen {
            address: "127.0.0.1:80".parse().unwrap(),
            source: std::io::ErrorKind::PermissionDenied.into(),
        };
        assert_eq!(refused(&error).code, "port_refused");
    }
}
