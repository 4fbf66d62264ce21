//! Markup that nothing from outside can break out of: what a program is given to write is either a literal of
//! its own source, which is taken as it is, or a value, which is escaped.

/// A piece of markup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

impl Html {
    /// Markup of this program's own.
    pub(crate) fn markup(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    /// A value.
    pub(crate) fn add(&mut self, value: &(impl ToMarkup + ?Sized)) {
        value.show(self);
    }

    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// What can be shown as part of a page.
pub(crate) trait ToMarkup {
    fn show(&self, into: &mut Html);
}

impl ToMarkup for Html {
    fn show(&self, into: &mut Html) {
        into.0.push_str(&self.0);
    }
}

impl ToMarkup for str {
    fn show(&self, into: &mut Html) {
        into.0.push_str(&escape(self));
    }
}

impl ToMarkup for String {
    fn show(&self, into: &mut Html) {
        self.as_str().show(into);
    }
}

impl<T: ToMarkup + ?Sized> ToMarkup for &T {
    fn show(&self, into: &mut Html) {
        (*self).show(into);
    }
}

impl<T: ToMarkup> ToMarkup for Option<T> {
    fn show(&self, into: &mut Html) {
        if let Some(it) = self {
            it.show(into);
        }
    }
}

impl<T: ToMarkup> ToMarkup for Vec<T> {
    fn show(&self, into: &mut Html) {
        for it in self {
            it.show(into);
        }
    }
}

impl FromIterator<Self> for Html {
    fn from_iter<I: IntoIterator<Item = Self>>(pieces: I) -> Self {
        let mut all = Self::default();
        for piece in pieces {
            all.add(&piece);
        }
        all
    }
}

macro_rules! shown_as_written {
    ($($number:ty),*) => {$(
        impl ToMarkup for $number {
            fn show(&self, into: &mut Html) {
                self.to_string().show(into);
            }
        }
    )*};
}

shown_as_written!(
    u32,
    u64,
    usize,
    refrain::id::GrantName,
    refrain::id::AppName,
    refrain::id::ApiKeyName
);

/// Puts markup together. Literals are markup; everything else is a value, and is escaped unless it is
/// [`Html`].
macro_rules! html {
    (@ $to:ident) => {};
    (@ $to:ident $markup:literal $(, $($rest:tt)*)?) => {
        $to.markup($markup);
        $crate::html::html!(@ $to $($($rest)*)?);
    };
    (@ $to:ident $value:expr $(, $($rest:tt)*)?) => {
        $to.add(&$value);
        $crate::html::html!(@ $to $($($rest)*)?);
    };
    ($($parts:tt)*) => {{
        let mut pieces = $crate::html::Html::default();
        $crate::html::html!(@ pieces $($parts)*);
        pieces
    }};
}
pub(crate) use html;

/// A text as markup that shows it, without control characters: part of it may come from the network.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c if c.is_control() || turns_text(c) => html.push(' '),
            c => html.push(c),
        }
        html
    })
}

/// Whether it has what follows it run the other way: so a name could make a sentence say something else.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_stays_text() {
        assert_eq!(
            escape("<b onx='1'>&\"</b>\0"),
            "&lt;b onx=&#39;1&#39;&gt;&amp;&quot;&lt;/b&gt; "
        );
        assert_eq!(escape("a\u{202e}b"), "a b");
    }

    #[test]
    fn a_literal_is_markup_and_a_value_is_text() {
        let (name, inner) = ("<i>".to_owned(), html!("<b>", 2_u64 + 3, "</b>"));
        let all = html!("<p>", name, " ", inner, Some(&name), None::<String>, "</p>",);
        assert_eq!(all.as_str(), "<p>&lt;i&gt; <b>5</b>&lt;i&gt;</p>");
        assert_eq!(Html::default().as_str(), "");
    }
}
