//! JSON that a caller sends.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Number;

use crate::{
    body::{Sent, whole},
    fault::{Fault, code},
};

/// Of which nothing is to be said.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Reads what was sent; without a body that is what stands for nothing at all.
///
/// # Errors
/// 413 for too much, 415 for something else than JSON, 400 for JSON that says something else.
pub(super) async fn read_or_default<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Sent,
) -> Result<T, Fault> {
    let bytes = whole::read(body).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    parse(headers, &bytes)
}

/// Reads what was sent; something has to be.
///
/// # Errors
/// As [`read_or_default`].
pub(super) async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Sent) -> Result<T, Fault> {
    parse(headers, &whole::read(body).await?)
}

fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Fault> {
    if !headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
        let what = "the body is not application/json";
        let fix = "send Content-Type: application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Fault::request(status, code::BAD_CONTENT_TYPE, what, fix));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        // What it says of the text is the caller's own, and told to nobody else.
        let what = format!("the body is not what is expected here: {error}");
        let fix = "look at /refrain/v1/openapi.json";
        Fault::request(StatusCode::BAD_REQUEST, code::BAD_BODY, what, fix)
    })
}

/// A whole number that may be left out. One that is written with a point is whole all the same, as JSON
/// Schema has it.
pub(super) fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(from)? else {
        return Ok(None);
    };
    let pointed = || {
        let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
        // Zero can have a sign, which is nothing.
        format!("{}", number + 0.0).parse().ok()
    };
    let whole = number.as_u64().or_else(pointed);
    let whole = whole.ok_or_else(|| D::Error::custom("a whole number from 0 on is needed"));
    whole.map(Some)
}

fn is_json(value: &HeaderValue) -> bool {
    let mut parts = value.as_bytes().split(|byte| *byte == b';');
    let essence = parts.next().map(<[u8]>::trim_ascii);
    essence.is_some_and(|it| it.eq_ignore_ascii_case(b"application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        #[derive(Deserialize)]
        struct Numbered {
            #[serde(default, deserialize_with = "whole")]
            number: Option<u64>,
        }
        for (text, expected) in [
            (r#"{"number":300}"#, Some(Some(300))),
            (r#"{"number":300.0}"#, Some(Some(300))),
            (r#"{"number":3e2}"#, Some(Some(300))),
            (r#"{"number":-0.0}"#, Some(Some(0))),
            (r#"{"number":null}"#, Some(None)),
            ("{}", Some(None)),
            (r#"{"number":300.5}"#, None),
            (r#"{"number":-1}"#, None),
            (r#"{"number":-0.5}"#, None),
            (r#"{"number":1e300}"#, None),
            (r#"{"number":"300"}"#, None),
        ] {
            let read = serde_json::from_str::<Numbered>(text).ok();
            assert_eq!(read.map(|it| it.number), expected, "{text}");
        }
    }

    #[test]
    fn json_is_told_by_its_type_alone() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/json5", false),
            ("text/plain", false),
            ("", false),
        ] {
            assert_eq!(is_json(&HeaderValue::from_static(value)), json, "{value}");
        }
    }
}
