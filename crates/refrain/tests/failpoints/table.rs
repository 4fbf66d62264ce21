//! What came of the cells.

use std::{collections::BTreeMap, fmt::Write as _};

use refrain::failpoint::Point;

use crate::{cell::Kind, world::Engine};

/// What became of a grant after something broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The caller got its token, and nobody noticed.
    Served,
    /// The caller was told an error, and the next process got a token.
    Recovered,
    /// The provider had replaced its token and no client could have kept the answer: called `answer_lost`.
    Lost,
    /// The logout holds.
    SignedOut,
}

/// One cell: where, what, under which provider, on which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub point: Point,
    pub kind: Kind,
    pub mode: &'static str,
    pub engine: Engine,
}

impl Place {
    pub fn name(&self) -> String {
        let kind = self.kind.word();
        format!("{} {kind} {} {:?}", self.point, self.mode, self.engine)
    }
}

/// The cells that ran.
#[derive(Debug, Default)]
pub struct Table(pub BTreeMap<Place, Outcome>);

impl Table {
    /// How often each outcome came.
    pub fn counts(&self) -> String {
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        for outcome in self.0.values() {
            *counts.entry(*outcome).or_default() += 1;
        }
        let counts = counts
            .iter()
            .map(|(outcome, count)| format!("{count} {outcome:?}"));
        counts.collect::<Vec<_>>().join(", ").to_lowercase()
    }

    /// One line for each point and kind, one letter for each mode, the stores one after the other.
    pub fn print(&self, modes: &[&'static str]) -> String {
        let mut text = String::new();
        for point in Point::ALL {
            for kind in Kind::ALL {
                write!(text, "    {point:<22} {:<7}", kind.word()).unwrap();
                for engine in [Engine::Sqlite, Engine::Postgres] {
                    text.push(' ');
                    for mode in modes {
                        let (point, kind) = (*point, kind);
                        let place = Place {
                            point,
                            kind,
                            mode,
                            engine,
                        };
                        text.push(match self.0.get(&place) {
                            None => '.',
                            Some(Outcome::Served) => 's',
                            Some(Outcome::Recovered) => 'r',
                            Some(Outcome::Lost) => 'L',
                            Some(Outcome::SignedOut) => 'o',
                        });
                    }
                }
                text.push('\n');
            }
        }
        text
    }
}
