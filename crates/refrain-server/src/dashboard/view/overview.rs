//! The page that one looks at to see whether all is well.

use refrain::{
    Summary,
    access::{KeyRecord, Standing},
    id::GrantName,
    limit::Gate,
    time::Moment,
    words::{self, limit},
};

use super::{
    consent,
    level::{Glance, Level},
    time,
    verdict::Verdict,
};
use crate::{
    dashboard::survey::{Others, Read, Survey},
    html::{Html, html},
    manage::grants::name,
};

/// What is on it.
#[derive(Debug)]
pub(in crate::dashboard) struct Overview<'a> {
    pub(in crate::dashboard) survey: &'a Survey,
    /// Those that need nobody; where names are looked for, whoever has such a name.
    pub(in crate::dashboard) others: &'a Others,
    /// What names are looked for by.
    pub(in crate::dashboard) part: &'a str,
    /// Whether the list begins somewhere in the middle.
    pub(in crate::dashboard) continued: bool,
    pub(in crate::dashboard) gates: &'a [Gate],
    pub(in crate::dashboard) keys: &'a [KeyRecord],
    pub(in crate::dashboard) processes: Option<usize>,
    pub(in crate::dashboard) now: Moment,
}

impl Overview<'_> {
    /// The page.
    pub(in crate::dashboard) fn content(&self) -> Html {
        if self.survey.total() == 0 {
            return self.empty();
        }
        html!(
            self.headline(),
            self.limits(),
            self.needy(),
            self.list(),
            self.besides()
        )
    }

    /// How it looks as a whole.
    pub(in crate::dashboard) fn verdict(&self) -> Verdict {
        let only = self.others.found.first().map(|(read, _)| name(read));
        Verdict::of(self.survey, only, !self.gates.is_empty())
    }

    fn headline(&self) -> Html {
        let Verdict { level, text } = self.verdict();
        let off = self.survey.count(Level::Off);
        let off = (off > 0 && level != Level::Off).then(|| {
            let verb = if off == 1 { "is" } else { "are" };
            html!(" ", off, " ", verb, " signed out.")
        });
        let working = self.survey.working();
        let working = (level == Level::Needs && working > 0).then(|| {
            let works = if working == 1 { " works." } else { " work." };
            html!(words::count(working, "other grant"), works)
        });
        let seen = self.now.wall.since(self.survey.at).as_secs() > 5;
        let seen = seen.then(|| {
            html!(
                " Counted ",
                time::distance(self.survey.at, self.now.wall),
                "."
            )
        });
        let more = (off.is_some() || seen.is_some() || working.is_some())
            .then(|| html!("<p class=\"more\">", working, off, seen, "</p>"));
        html!(
            "<div class=\"headline ",
            level.class(),
            "\">",
            level.icon(),
            "<div><h1>",
            text,
            ".</h1>",
            more,
            "</div></div>\n"
        )
    }

    fn empty(&self) -> Html {
        html!(
            "<div class=\"headline off\">",
            Level::Off.icon(),
            "<div><h1>Nobody is connected yet.</h1><p class=\"more\">A <em>grant</em> is one user's consent: \
             it lets your programs use Spotify in their name. refrain keeps it working for six months \
             without anybody doing anything.</p></div></div>\n<section class=\"card\"><h2>The first step\
             </h2><p>Connect an account: your own in this browser, or somebody else's by a link that you \
             send.</p><p><a class=\"button\" href=\"/dashboard/connect\">Connect an account</a></p><p \
             class=\"soft\">In a terminal, <code>refrain login</code> does the same.</p></section>\n",
            self.besides()
        )
    }

    /// What keeps requests from being sent at the moment.
    fn limits(&self) -> Option<Html> {
        let line = |gate: &Gate| {
            let text = limit::sentence(gate, &self.now);
            html!(
                "<li>",
                Level::Watched.icon(),
                "<div><p>",
                time::sentence(&text),
                "</p><p class=\"soft\">What to do: ",
                limit::advice(gate.kind()),
                ".</p></div></li>\n"
            )
        };
        let lines: Html = self.gates.iter().map(line).collect();
        (!self.gates.is_empty()).then(|| {
            html!(
                "<section aria-labelledby=\"limits\"><h2 id=\"limits\">Limits in force</h2>\n<ul \
                 class=\"lines watched\">",
                lines,
                "</ul></section>\n"
            )
        })
    }

    fn needy(&self) -> Option<Html> {
        let needy = &self.survey.needy;
        if needy.is_empty() || !self.part.is_empty() || self.continued {
            return None;
        }
        let all = self.survey.count(Level::Needs) + self.survey.count(Level::Soon);
        let rest = all.saturating_sub(needy.len() as u64);
        let rest = (rest > 0).then(|| {
            html!(
                "<p class=\"soft\">And ",
                rest,
                " more: find them by their name below, or with <code>refrain list</code>.</p>\n"
            )
        });
        Some(html!(
            "<section aria-labelledby=\"needy\"><h2 id=\"needy\">Needs attention <span class=\"count\">",
            all,
            "</span></h2>\n<ul class=\"grants\">\n",
            self.rows(needy),
            "</ul>\n",
            rest,
            "</section>\n"
        ))
    }

    fn list(&self) -> Html {
        let found = if self.part.is_empty() {
            let quiet = [Level::Watched, Level::Well, Level::Off].map(|it| self.survey.count(it));
            let quiet: u64 = quiet.into_iter().sum();
            let word = if self.survey.needy.is_empty() {
                "Grants"
            } else {
                "Others"
            };
            html!(word, " <span class=\"count\">", quiet, "</span>")
        } else {
            html!("Found for “", self.part, "”")
        };
        let rows = if self.others.found.is_empty() && self.others.tired {
            None
        } else if self.others.found.is_empty() && self.part.is_empty() {
            Some(html!("<p class=\"soft\">There is no other grant.</p>\n"))
        } else if self.others.found.is_empty() {
            Some(html!(
                "<p class=\"soft\">No grant and no user is called so. <a href=\"/dashboard\">Show all\
                 </a></p>\n"
            ))
        } else {
            let rows = self.rows(&self.others.found);
            Some(html!("<ul class=\"grants\">\n", rows, "</ul>\n"))
        };
        html!(
            "<section aria-labelledby=\"others\"><div class=\"over\"><h2 id=\"others\">",
            found,
            "</h2>",
            self.search(),
            "</div>\n",
            rows,
            self.searched(),
            self.pages(),
            "</section>\n"
        )
    }

    fn search(&self) -> Html {
        let all = (!self.part.is_empty()).then(|| html!("<a href=\"/dashboard\">Show all</a>"));
        html!(
            "<form class=\"search\" role=\"search\" action=\"/dashboard\"><label for=\"name\" \
             class=\"unseen\">Find by name</label><input id=\"name\" name=\"name\" type=\"search\" \
             maxlength=\"64\" placeholder=\"Find by name\" value=\"",
            self.part,
            "\"><button class=\"quiet\">Find</button>",
            all,
            "</form>"
        )
    }

    /// How far was looked, where that was not to the end.
    fn searched(&self) -> Option<Html> {
        let upto = self.others.next.as_ref().filter(|_| self.others.tired)?;
        Some(html!(
            "<p class=\"soft\">Searched up to ",
            upto,
            ": there are very many grants, and the next page goes on from there.</p>\n"
        ))
    }

    /// Where the list goes on.
    fn pages(&self) -> Option<Html> {
        let part: String = url::form_urlencoded::byte_serialize(self.part.as_bytes()).collect();
        let named = |text: &str| (!part.is_empty()).then(|| format!("{text}name={part}"));
        let first = self.continued.then(|| {
            let place = format!("/dashboard{}", named("?").unwrap_or_default());
            html!("<a href=\"", place, "\">First page</a>")
        });
        let next = self.others.next.as_ref().map(|name| {
            let place = format!("/dashboard?after={name}{}", named("&").unwrap_or_default());
            html!("<a href=\"", place, "\" rel=\"next\">Next page</a>")
        });
        (first.is_some() || next.is_some()).then(|| {
            html!(
                "<nav class=\"pages\" aria-label=\"Pages of grants\">",
                first,
                next,
                "</nav>\n"
            )
        })
    }

    fn rows(&self, grants: &[(Read, Glance)]) -> Html {
        let row = |(read, glance): &(Read, Glance)| match read {
            Ok(grant) => self.row(grant, glance),
            Err(_) => bare(name(read), glance),
        };
        grants.iter().map(row).collect()
    }

    fn row(&self, grant: &Summary, glance: &Glance) -> Html {
        let consent = grant.consent.as_ref().filter(|_| glance.has_consent());
        html!(
            "<li class=\"",
            glance.level.class(),
            "\"><div class=\"who\"><h3><a href=\"/dashboard/grants/",
            &grant.name,
            "\">",
            &grant.name,
            "</a></h3><p>",
            whose(grant),
            "</p></div><div class=\"how\">",
            glance.chip(),
            glance
                .reason
                .as_ref()
                .map(|it| html!("<p>", time::sentence(it), "</p>")),
            "</div><div class=\"when\">",
            consent.map(|it| consent::bar(it, self.now.wall)),
            "</div><div class=\"act\">",
            step(&grant.name, glance),
            "</div></li>\n"
        )
    }

    /// What is there beside the grants.
    fn besides(&self) -> Html {
        html!(
            "<section class=\"besides\" aria-labelledby=\"besides\"><h2 id=\"besides\">Programs</h2><dl>",
            "<div><dt>Keys</dt><dd>",
            self.keys_line(),
            " <a href=\"/dashboard/keys\">Show keys</a></dd></div>",
            self.processes.map(processes),
            "<div><dt>Signed in</dt><dd><a href=\"/dashboard/sessions\">Show who is signed in here</a></dd></div>",
            "</dl></section>\n"
        )
    }

    fn keys_line(&self) -> String {
        let now = self.now.wall;
        let valid = self.keys.iter();
        let valid: Vec<_> = valid
            .filter(|key| key.standing(now) == Standing::Valid)
            .collect();
        let soon = valid.iter().filter(|key| {
            key.expires_at
                .is_some_and(|end| end.days_since(now) < super::level::SOON)
        });
        let soon = match soon.count() as u64 {
            0 => String::new(),
            one @ 1 => format!(", of which {one} expires within a week"),
            several => format!(", of which {several} expire within a week"),
        };
        match valid.len() as u64 {
            0 => "No program has a key.".to_owned(),
            1 => format!("1 key is valid{soon}."),
            all => format!("{all} keys are valid{soon}."),
        }
    }
}

fn whose(grant: &Summary) -> Html {
    let account = grant.account.as_ref();
    let user = account.map(|it| it.display_name.as_ref().unwrap_or(&it.id));
    html!(
        user.map(|user| html!("<bdi>", user, "</bdi> · ")),
        "app ",
        &grant.app
    )
}

/// A grant of which no more can be told.
fn bare(name: &GrantName, glance: &Glance) -> Html {
    html!(
        "<li class=\"needs\"><div class=\"who\"><h3>",
        name,
        "</h3></div><div class=\"how\">",
        glance.chip(),
        glance
            .reason
            .as_ref()
            .map(|it| html!("<p>", time::sentence(it), "</p>")),
        "</div><div class=\"when\"></div><div class=\"act\">",
        step(name, glance),
        "</div></li>\n"
    )
}

/// What is to be done next.
fn step(name: &GrantName, glance: &Glance) -> Option<Html> {
    let (class, place, words) = match (glance.level, glance.word) {
        (Level::Needs, "Restored") => (
            "button",
            format!("/dashboard/grants/{name}"),
            "See what to do",
        ),
        (Level::Needs | Level::Soon, _) => (
            "button",
            format!("/dashboard/connect?grant={name}"),
            "Reconnect",
        ),
        (Level::Off, _) => (
            "button quiet",
            format!("/dashboard/connect?grant={name}"),
            "Connect",
        ),
        (Level::Watched | Level::Well, _) => return None,
    };
    Some(html!(
        "<a class=\"",
        class,
        "\" href=\"",
        place,
        "\">",
        words,
        "<span class=\"unseen\"> ",
        name,
        "</span></a>"
    ))
}

fn processes(others: usize) -> Html {
    let text = match others {
        0 => "This server alone refreshes tokens from this store, as far as this machine can tell."
            .to_owned(),
        1 => "This server and another process of this machine refresh tokens from this store."
            .to_owned(),
        others => format!(
            "This server and {others} other processes of this machine refresh tokens from this store."
        ),
    };
    html!("<div><dt>Processes</dt><dd>", text, "</dd></div>")
}

#[cfg(test)]
mod tests {
    use refrain::time::{BootId, UnixMillis, Uptime};

    use super::*;

    #[test]
    fn whoever_has_no_grant_yet_is_told_the_first_step() {
        let survey = Survey::begun(UnixMillis(0));
        let now = Moment {
            wall: UnixMillis(0),
            uptime: Uptime(0),
            boot: BootId(1),
        };
        let overview = Overview {
            survey: &survey,
            others: &Others::default(),
            part: "",
            continued: false,
            gates: &[],
            keys: &[],
            processes: Some(2),
            now,
        };
        let page = overview.content().into_string();
        assert!(page.contains("Nobody is connected yet."), "{page}");
        assert!(page.contains("href=\"/dashboard/connect\">Connect an account"));
        assert!(page.contains("This server and 2 other processes"), "{page}");
        assert!(!page.contains("Find by name"));
    }
}
