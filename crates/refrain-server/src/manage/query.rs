//! The few parameters that a path takes behind its question mark.

use std::borrow::Cow;

use http::{StatusCode, Uri};

use crate::fault::{Fault, code};

/// The parameters of a request, each of a known name and there once at most.
///
/// # Errors
/// 400 for another name, or one that is there twice.
pub(super) fn read<'u, const N: usize>(
    uri: &'u Uri,
    names: [&str; N],
) -> Result<[Option<Cow<'u, str>>; N], Fault> {
    let mut values = [const { None }; N];
    let Some(query) = uri.query() else {
        return Ok(values);
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let mut slots = names.iter().zip(&mut values);
        let slot = slots.find(|(known, _)| **known == name);
        match slot {
            Some((_, slot @ None)) => *slot = Some(value),
            Some(_) => return Err(bad("a parameter is there twice")),
            None => return Err(bad("a parameter is not known here")),
        }
    }
    Ok(values)
}

/// A whole number up to another.
///
/// # Errors
/// 400 for anything else.
pub(super) fn number(text: &str, least: u64, most: u64) -> Result<u64, Fault> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| bad(&format!("a whole number from {least} to {most} is needed")))
}

/// 400 for a parameter that means nothing here.
pub(super) fn bad(what: &str) -> Fault {
    let fix = "look at /refrain/v1/openapi.json";
    Fault::request(StatusCode::BAD_REQUEST, code::BAD_QUERY, what, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_known_and_there_once() {
        let read = |query: &str| {
            let uri: Uri = format!("/x{query}").parse().unwrap();
            let read = read(&uri, ["after", "limit"]);
            read.map(|values| values.map(|value| value.map(Cow::into_owned)))
                .map_err(|fault| fault.code())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(""), Ok([None, None]));
        assert_eq!(read("?limit=5"), Ok([None, some("5")]));
        assert_eq!(read("?limit=5&after=a%2D1"), Ok([some("a-1"), some("5")]));
        assert_eq!(read("?limit=5&limit=5"), Err("bad_query"));
        assert_eq!(read("?most=5"), Err("bad_query"));
    }

    #[test]
    fn a_number_is_digits_within_bounds() {
        let read = |text| number(text, 1, 10).ok();
        assert_eq!((read("1"), read("10")), (Some(1), Some(10)));
        for bad in [
            "0",
            "11",
            "",
            "-1",
            "+1",
            "1.0",
            "1e0",
            " 1",
            "99999999999999999999",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
