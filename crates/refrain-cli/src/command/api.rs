//! `refrain api`: one call to the Web API, with a token that works.
//!
//! The answer's body goes to standard output as it comes, whatever its status: programs parse Spotify's
//! errors too. What the status means is told on standard error, and by the exit code.

mod meaning;
mod request;

use std::io::IsTerminal as _;

use refrain::{
    Grant,
    limit::{Bucket, Closed, Kind},
    middleware::{BearerError, Limited, Unrepaired},
    time::{Clock as _, SystemClock},
};

use self::request::Call;
use crate::{
    args::{ApiArgs, GlobalArgs},
    output,
    report::{Exit, Explanation, with_causes},
};

/// How much of an error's body is looked at for its meaning.
const LOOKED_AT: usize = 4096;

pub(super) async fn run(global: &GlobalArgs, args: &ApiArgs) -> Result<(), Explanation> {
    let call = Call::read(args)?;
    let refrain = super::open(global).await?;
    let called = async {
        let grant = super::grant(&refrain, args.grant.as_ref()).await?;
        make(&grant, call, args.include).await
    }
    .await;
    super::close(&refrain).await;
    called
}

async fn make(grant: &Grant, call: Call, include: bool) -> Result<(), Explanation> {
    let url = call.url(grant.api())?;
    let client = grant.http_client().map_err(|error| Explanation {
        code: "tls",
        what: format!("no connection can be made: {}", with_causes(&error)),
        safe: "nothing was sent".to_owned(),
        fix: "see that the system's certificates can be read".to_owned(),
        retry_at: None,
        exit: Exit::Configuration,
    })?;
    let mut request = client.request(call.method, url).headers(call.headers);
    if let Some(body) = call.body {
        request = request.body(body);
    }
    let mut answer = request.send().await.map_err(|error| unsent(grant, error))?;
    if let Some(Limited(closed)) = answer.extensions().get() {
        return Err(limited(closed));
    }
    let status = answer.status();
    if include && !output::raw(&head(&answer))? {
        return Ok(());
    }
    let mut seen = Vec::new();
    let mut ends_with_newline = true;
    loop {
        let part = answer.chunk().await.map_err(|error| broken_off(&error))?;
        let Some(part) = part else { break };
        ends_with_newline = part.ends_with(b"\n");
        let room = LOOKED_AT.saturating_sub(seen.len());
        seen.extend(part.iter().take(room));
        if !output::raw(&part)? {
            break;
        }
    }
    if !ends_with_newline && std::io::stdout().is_terminal() {
        output::raw(b"\n")?;
    }
    if status.as_u16() < 400 {
        return Ok(());
    }
    if let Some(Unrepaired(error)) = answer.extensions().get() {
        let why = Explanation::from(error.clone());
        let what = format!(
            "HTTP {}: Spotify rejects the token, and there is no new one: {}",
            status.as_u16(),
            why.what
        );
        return Err(Explanation {
            what,
            exit: Exit::Api,
            ..why
        });
    }
    let now = SystemClock::new().wall();
    Err(meaning::of(
        grant.name(),
        status,
        answer.headers(),
        &seen,
        now,
    ))
}

/// Nothing was sent, so there is no answer to print.
fn limited(closed: &Closed) -> Explanation {
    let whose = match &closed.bucket {
        Bucket::App(app) => format!("the app {app} has asked too often"),
        Bucket::Developer(developer) => {
            format!("the quota of the developer account {developer} is used up")
        }
    };
    Explanation {
        code: match closed.kind {
            Kind::Rate => "rate_limited",
            Kind::Quota => "quota_exceeded",
        },
        what: format!(
            "Spotify's Web API is asked nothing until {}: {whose}",
            closed.until
        ),
        safe: "nothing was sent".to_owned(),
        fix: refrain::words::limit::advice(closed.kind).to_owned(),
        retry_at: Some(closed.until),
        exit: Exit::TryLater,
    }
}

/// The status and the headers, as they would stand on the wire.
fn head(answer: &reqwest::Response) -> Vec<u8> {
    let mut head = format!("{:?} {}\r\n", answer.version(), answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// No answer came. The library's own errors explain themselves.
fn unsent(grant: &Grant, error: reqwest_middleware::Error) -> Explanation {
    let mut safe = "the call may or may not have been carried out";
    let why = match error {
        reqwest_middleware::Error::Middleware(error) => {
            if let Some(BearerError::Refrain(own)) = error.downcast_ref() {
                return own.clone().into();
            }
            format!("{error:#}")
        }
        // Without its URL: a query may hold what is nobody's business.
        reqwest_middleware::Error::Reqwest(error) => {
            if error.is_connect() {
                safe = "no connection came about, so that nothing was sent";
            }
            with_causes(&error.without_url())
        }
    };
    Explanation {
        code: "api_unreachable",
        what: format!("{} gave no answer: {why}", grant.api()),
        safe: safe.to_owned(),
        fix: "check the network, and run `refrain doctor`".to_owned(),
        retry_at: None,
        exit: Exit::TryLater,
    }
}

fn broken_off(error: &dyn std::error::Error) -> Explanation {
    Explanation {
        code: "api_broken_off",
        what: format!("the answer broke off: {}", with_causes(error)),
        safe: "what was printed is not all of it".to_owned(),
        fix: "try again".to_owned(),
        retry_at: None,
        exit: Exit::TryLater,
    }
}
