//! What is told in one statement, column by column.

use sqlx::{Postgres, postgres::PgArguments, query::QueryScalar};

use crate::{
    notice::{Message, Target},
    store::{Telling, record::integer},
};

type Scalar<'q> = QueryScalar<'q, Postgres, String, PgArguments>;

/// What has been told from now on.
#[derive(Default)]
pub(super) struct Tellings {
    grant: Vec<String>,
    epoch: Vec<i64>,
    status: Vec<String>,
    seen: Vec<Option<i64>>,
    told_epoch: Vec<i64>,
    standing: Vec<String>,
    days: Vec<Option<i64>>,
    next_at: Vec<Option<i64>>,
    drops: Vec<bool>,
}

impl Tellings {
    pub(super) fn of(tellings: &[Telling]) -> Self {
        let mut columns = Self::default();
        for telling in tellings {
            columns.grant.push(telling.grant.as_str().to_owned());
            columns.epoch.push(integer(telling.epoch.0));
            columns.status.push(telling.status.to_owned());
            columns.seen.push(telling.seen.map(|seen| integer(seen.0)));
            columns.told_epoch.push(integer(telling.told.epoch.0));
            columns
                .standing
                .push(telling.told.standing.word().to_owned());
            columns.days.push(telling.told.days.map(i64::from));
            columns.next_at.push(telling.next_at.map(|at| at.0));
            columns.drops.push(telling.drops);
        }
        columns
    }

    /// Binds in the order in which the statement numbers them.
    pub(super) fn bind<'q>(&'q self, query: Scalar<'q>) -> Scalar<'q> {
        query
            .bind(&self.grant)
            .bind(&self.epoch)
            .bind(&self.status)
            .bind(&self.seen)
            .bind(&self.told_epoch)
            .bind(&self.standing)
            .bind(&self.days)
            .bind(&self.next_at)
            .bind(&self.drops)
    }
}

/// The messages about grants.
#[derive(Default)]
pub(super) struct Messages {
    id: Vec<String>,
    kind: Vec<String>,
    grant: Vec<String>,
    name: Vec<String>,
    body: Vec<String>,
    made_at: Vec<i64>,
}

impl Messages {
    pub(super) fn of<'m>(messages: impl Iterator<Item = &'m Message>) -> Self {
        let mut columns = Self::default();
        for message in messages {
            let Some((grant, name)) = &message.grant else {
                continue;
            };
            columns.id.push(message.id.as_str().to_owned());
            columns.kind.push(message.kind.word().to_owned());
            columns.grant.push(grant.as_str().to_owned());
            columns.name.push(name.as_str().to_owned());
            columns.body.push(message.body.clone());
            columns.made_at.push(message.made_at.0);
        }
        columns
    }

    /// Binds in the order in which the statement numbers them.
    pub(super) fn bind<'q>(&'q self, query: Scalar<'q>) -> Scalar<'q> {
        query
            .bind(&self.id)
            .bind(&self.kind)
            .bind(&self.grant)
            .bind(&self.name)
            .bind(&self.body)
            .bind(&self.made_at)
    }
}

/// The ids of places, and what they are called.
pub(super) fn targets(to: &[Target]) -> (Vec<String>, Vec<String>) {
    let of = |target: &Target| (target.id.as_str().to_owned(), target.place.clone());
    to.iter().map(of).unzip()
}
