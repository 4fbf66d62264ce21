//! A request's body, held where it is small: what is held can be sent again.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Either, Full};

use crate::{
    body::Sent,
    fault::{Fault, code},
    proxy::upstream::Outgoing,
};

/// So much of a body is held; a playlist's cover is half of that at most.
pub(crate) const MOST: usize = 512 * 1024;

/// A body as it will be sent.
#[derive(Debug)]
pub(crate) enum Held {
    /// All of it; can be sent as often as it takes.
    Whole(Bytes),
    /// Too long to hold: it passes through, once.
    Passing(Option<Sent>),
}

impl Held {
    /// Reads a body as far as it is held: so many bytes.
    ///
    /// # Errors
    /// Where the caller has broken it off.
    pub(crate) async fn read(mut body: Sent, most: usize) -> Result<Self, Fault> {
        let hint = body.size_hint();
        if hint.exact() == Some(0) {
            return Ok(Self::Whole(Bytes::new()));
        }
        if hint.lower() > most as u64 {
            return Ok(Self::Passing(Some(body)));
        }
        let expected = hint.exact().and_then(|exact| usize::try_from(exact).ok());
        let mut read = BytesMut::with_capacity(expected.unwrap_or(0));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| broken_off())?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if read.is_empty() && body.is_end_stream() {
                // In one piece, as most are: it need not be copied.
                return Ok(Self::Whole(data));
            }
            read.extend_from_slice(&data);
            if read.len() > most {
                return Ok(Self::Passing(Some(body.behind(read.freeze()))));
            }
        }
        Ok(Self::Whole(read.freeze()))
    }

    /// Whether it can be sent once more.
    pub(crate) fn repeats(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    /// The body to send; a passing one only once.
    pub(crate) fn outgoing(&mut self) -> Outgoing {
        match self {
            Self::Whole(bytes) => Either::Left(Full::new(bytes.clone())),
            Self::Passing(sent) => match sent.take() {
                Some(sent) => Either::Right(sent),
                None => Either::Left(Full::new(Bytes::new())),
            },
        }
    }
}

fn broken_off() -> Fault {
    let status = http::StatusCode::BAD_REQUEST;
    let what = "the request's body broke off";
    Fault::request(
        status,
        code::BODY_BROKEN_OFF,
        what,
        "nothing was sent to Spotify",
    )
    .closing()
}
