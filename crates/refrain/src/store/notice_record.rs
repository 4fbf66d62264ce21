//! What was told, and deliveries, as the columns of a table: the same for every engine.

use std::sync::Arc;

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::{
    access::Grants,
    id::{Epoch, GrantName},
    notice::{Delivery, Kind, MessageId, Standing, Target, TargetId, Told, delivery::Settled},
    store::{
        Cause, NewsMark, NewsPage, Noted, StoreError, Unreadable, Version, Versioned, cause,
        unreadable,
    },
    time::UnixMillis,
};

/// A grant with what was told of it, out of a row that has the columns of both; those of the latter begin with
/// `told_`.
fn noted<'r, R>(row: &'r R) -> Result<Result<Noted, Unreadable>, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let grant = match unreadable::or_row(row)? {
        Ok(grant) => grant.value,
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    Ok(match told(row, grant.id.as_str()) {
        Ok(told) => Ok(Noted { row: grant, told }),
        Err(why) => Err(Unreadable {
            name: grant.name,
            why,
        }),
    })
}

/// A page of such rows, with their `look_at`.
pub(super) fn news<'r, R>(rows: &'r [R]) -> Result<NewsPage, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let grants: Vec<_> = rows.iter().map(noted).collect::<Result<_, _>>()?;
    let at = rows.last().map(|row| row.try_get("look_at"));
    let at = at.transpose().map_err(|source| {
        let row = String::new();
        let (table, column) = ("grants", "look_at");
        let source: Cause = Arc::new(source);
        StoreError::Value {
            table,
            column,
            row,
            source,
        }
    })?;
    let name = grants.last().map(|grant| match grant {
        Ok(noted) => noted.row.name.clone(),
        Err(unreadable) => unreadable.name.clone(),
    });
    let last = at
        .zip(name)
        .map(|(at, name)| NewsMark(UnixMillis(at), name));
    Ok(NewsPage { grants, last })
}

fn told<'r, R>(row: &'r R, grant: &str) -> Result<Option<Versioned<Told>>, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let error = |column, source: Cause| value_error("told", column, grant, source);
    macro_rules! get {
        ($column:literal) => {
            row.try_get($column)
                .map_err(|source| error($column, Arc::new(source)))?
        };
    }
    let version: Option<i64> = get!("told_version");
    let Some(version) = version else {
        return Ok(None);
    };
    let (epoch, standing, days): (i64, String, Option<i64>) =
        (get!("told_epoch"), get!("told_standing"), get!("told_days"));
    let days = days.map(u8::try_from).transpose();
    let value = Told {
        epoch: Epoch(epoch.unsigned_abs()),
        standing: Standing::of_word(&standing)
            .ok_or_else(|| error("standing", cause("no such standing")))?,
        days: days.map_err(|source| error("days", Arc::new(source)))?,
    };
    let version = Version(version.unsigned_abs());
    Ok(Some(Versioned { value, version }))
}

/// Reads a delivery of either engine; an error names the column.
pub(super) fn delivery<'r, R>(row: &'r R) -> Result<Delivery, StoreError>
where
    R: Row,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    let number: i64 = row.try_get("number").unwrap_or_default();
    let place = number.to_string();
    let error = |column, source: Cause| value_error("notices", column, &place, source);
    macro_rules! get {
        ($column:literal) => {
            row.try_get($column)
                .map_err(|source| error($column, Arc::new(source)))?
        };
    }
    let (message, kind, target): (String, String, String) =
        (get!("message"), get!("kind"), get!("target"));
    let (grant, attempts): (Option<String>, i64) = (get!("grant_name"), get!("attempts"));
    let (next_at, delivered_at, given_up_at): (Option<i64>, Option<i64>, Option<i64>) =
        (get!("next_at"), get!("delivered_at"), get!("given_up_at"));
    let grant = grant.map(|name| name.parse()).transpose();
    Ok(Delivery {
        number: number.unsigned_abs(),
        message: MessageId::parse(&message)
            .ok_or_else(|| error("message", cause("not the id of a message")))?,
        kind: Kind::of_word(&kind).ok_or_else(|| error("kind", cause("no such kind")))?,
        grant: grant.map_err(|source| error("grant_name", Arc::new(source)))?,
        body: get!("body"),
        target: Target {
            id: TargetId::parse(&target)
                .ok_or_else(|| error("target", cause("not the id of a place")))?,
            place: get!("place"),
        },
        made_at: UnixMillis(get!("made_at")),
        attempts: u32::try_from(attempts).map_err(|source| error("attempts", Arc::new(source)))?,
        next_at: next_at.map(UnixMillis),
        outcome: get!("outcome"),
        delivered_at: delivered_at.map(UnixMillis),
        given_up_at: given_up_at.map(UnixMillis),
    })
}

/// What a page of news begins behind: before all of them where nothing is said.
pub(super) fn behind(mark: Option<&NewsMark>) -> (i64, String) {
    let start = || (i64::MIN, String::new());
    mark.map_or_else(start, |NewsMark(at, name)| (at.0, name.to_string()))
}

/// A place out of its name and what it is called.
pub(super) fn target((id, place): (String, String)) -> Option<Target> {
    let id = TargetId::parse(&id)?;
    Some(Target { id, place })
}

fn value_error(table: &'static str, column: &'static str, row: &str, source: Cause) -> StoreError {
    StoreError::Value {
        table,
        column,
        row: row.to_owned(),
        source,
    }
}

/// What a delivery that is settled has in the columns `next_at`, `delivered_at` and `given_up_at`.
pub(super) fn columns(settled: Settled, at: UnixMillis) -> (Option<i64>, Option<i64>, Option<i64>) {
    match settled {
        Settled::Delivered => (None, Some(at.0), None),
        Settled::Again(next) => (Some(next.0), None, None),
        Settled::GivenUp => (None, None, Some(at.0)),
    }
}

/// The names of some grants; `None` for all.
pub(super) fn names(of: &Grants) -> Option<Vec<&str>> {
    match of {
        Grants::All => None,
        Grants::Only(names) => Some(names.iter().map(GrantName::as_str).collect()),
    }
}
