//! A body that is read as a whole.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::Sent;
use crate::fault::{Fault, code};

/// So much is read.
const MOST: usize = 64 * 1024;

/// Reads what was sent to its end.
///
/// # Errors
/// 413 for too much, 400 where it breaks off.
pub(crate) async fn read(mut body: Sent) -> Result<Bytes, Fault> {
    let too_long = || {
        let what = "the body is longer than 64 KiB";
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Fault::request(status, code::BODY_TOO_LONG, what, "send less").closing()
    };
    if body.size_hint().lower() > MOST as u64 {
        return Err(too_long());
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let (code, what) = (code::BODY_BROKEN_OFF, "the request's body broke off");
            let fix = "send it again";
            Fault::request(StatusCode::BAD_REQUEST, code, what, fix).closing()
        })?;
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > MOST {
            return Err(too_long());
        }
    }
    Ok(read.freeze())
}
