//! Lists that are told a page at a time. Where the next page is stands in the answer, and in its `Link`
//! (RFC 8288).

use std::borrow::Cow;

use http::{HeaderValue, Response, Uri, header};

use super::query;
use crate::{body::Answer, fault::Fault};

/// So many are told at once, where nobody says otherwise.
const USUAL: u64 = 100;
/// And at most.
const MOST: u64 = 1000;

/// Which page is asked for.
#[derive(Debug)]
pub(super) struct Page<'u> {
    after: Option<Cow<'u, str>>,
    limit: u32,
}

impl<'u> Page<'u> {
    /// # Errors
    /// 400 for a parameter that is not known here, and for a limit out of bounds.
    pub(super) fn asked(uri: &'u Uri) -> Result<Self, Fault> {
        let [after, limit] = query::read(uri, ["after", "limit"])?;
        let limit = limit.map(|text| query::number(&text, 1, MOST));
        let limit = limit.transpose()?.unwrap_or(USUAL);
        Ok(Self {
            after,
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        })
    }

    /// How many are told.
    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// How many are read: one more, to see whether there is another page.
    pub(super) fn and_one(&self) -> u32 {
        self.limit.saturating_add(1)
    }

    /// Behind which it begins, as it was written.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// Leaves what belongs on this page, and says where the next one is; it begins behind the last that is
    /// left, whose name needs no encoding.
    pub(super) fn cut<T>(
        &self,
        path: &str,
        read: &mut Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> Option<String> {
        let more = read.len() > self.limit();
        read.truncate(self.limit());
        let last = read.last().filter(|_| more)?;
        Some(format!("{path}?after={}&limit={}", name(last), self.limit))
    }
}

/// Says in the answer's head where the next page is.
pub(super) fn linked(mut answer: Response<Answer>, next: Option<&str>) -> Response<Answer> {
    let link = next.map(|next| HeaderValue::from_str(&format!("<{next}>; rel=\"next\"")));
    if let Some(Ok(link)) = link {
        answer.headers_mut().insert(header::LINK, link);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_limit_and_tells_where_it_goes_on() {
        let cut = |query: &str, there: usize| {
            let uri: Uri = format!("/x{query}").parse().unwrap();
            let page = Page::asked(&uri).map_err(|fault| fault.code())?;
            let mut read: Vec<String> = (0..there).map(|it| it.to_string()).collect();
            let next = page.cut("/x", &mut read, String::as_str);
            Ok((read.len(), next))
        };
        let next = |text: &str| Some(text.to_owned());
        assert_eq!(cut("", 100), Ok((100, None)));
        assert_eq!(cut("", 101), Ok((100, next("/x?after=99&limit=100"))));
        assert_eq!(cut("?limit=1", 2), Ok((1, next("/x?after=0&limit=1"))));
        assert_eq!(cut("?limit=1000", 1000), Ok((1000, None)));
        assert_eq!(cut("?limit=5", 0), Ok((0, None)));
        for bad in [
            "?limit=0",
            "?limit=1001",
            "?limit=",
            "?limit=5&limit=5",
            "?page=2",
        ] {
            assert_eq!(cut(bad, 5), Err("bad_query"), "{bad}");
        }
    }
}
