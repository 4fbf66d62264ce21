//! What is inside the cookie, before it is sealed: JSON with names as short as its place is dear.

use std::{borrow::Cow, time::Duration};

use refrain::{
    id::GrantId,
    keeper::carried::{Carried, CarriedAccess, Step},
    lifecycle::row::{Account, Consent},
    seal::SealError,
    secret::{AccessToken, RefreshToken},
    session::{Incarnation, SessionId},
    time::UnixMillis,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{MOST, Times};

/// The tokens are read where they stand, and copied into nothing but what wipes them.
#[derive(Serialize, Deserialize)]
struct Plain<'a> {
    /// Issued, lapses, ends.
    t: [i64; 3],
    /// In which life of the store it began; most stores have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    i: Option<i64>,
    /// Which grant.
    g: String,
    /// App and client.
    a: (String, String),
    /// Authorized at, to reauthorize by.
    c: [i64; 2],
    s: String,
    /// Account and what it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<(String, Option<String>)>,
    /// The refresh token.
    #[serde(borrow)]
    r: Cow<'a, str>,
    /// The access token; empty where there is none.
    #[serde(borrow)]
    k: Cow<'a, str>,
    /// When that expires, and its whole life in milliseconds.
    x: (i64, u64),
}

pub(super) fn write(carried: &Carried, times: &Times) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (account, access) = (carried.account.as_ref(), carried.access.as_ref());
    let life = |it: &CarriedAccess| u64::try_from(it.life.as_millis()).unwrap_or(u64::MAX);
    let plain = Plain {
        t: [times.issued.0, times.lapses.0, times.ends.0],
        i: (times.began_in != Incarnation::default()).then_some(times.began_in.0),
        g: carried.id.to_string(),
        a: (carried.app.to_string(), carried.client_id.to_string()),
        c: [
            carried.consent.authorized_at.0,
            carried.consent.reauthorize_by.0,
        ],
        s: carried.scope.to_string(),
        u: account.map(|it| (it.id.clone(), it.display_name.clone())),
        r: carried.refresh.expose().into(),
        k: access.map_or("", |it| it.token.expose()).into(),
        x: access.map_or((0, 0), |it| (it.expires_at.0, life(it))),
    };
    // As long as it may become and more: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MOST));
    serde_json::to_writer(&mut *bytes, &plain).map_err(|_| SealError::Damaged {
        why: "it cannot be written",
    })?;
    Ok(bytes)
}

pub(super) fn read(bytes: &[u8], session: SessionId, step: Step) -> Option<(Carried, Times)> {
    let plain: Plain<'_> = serde_json::from_slice(bytes).ok()?;
    let [issued, lapses, ends] = plain.t.map(UnixMillis);
    let [authorized_at, reauthorize_by] = plain.c.map(UnixMillis);
    let (expires_at, life) = plain.x;
    let access = || CarriedAccess {
        token: AccessToken::new(&*plain.k),
        expires_at: UnixMillis(expires_at),
        life: Duration::from_millis(life),
    };
    let carried = Carried {
        id: GrantId::parse(&plain.g)?,
        session,
        step,
        app: plain.a.0.parse().ok()?,
        client_id: plain.a.1.parse().ok()?,
        consent: Consent {
            authorized_at,
            reauthorize_by,
            latest: None,
        },
        scope: plain.s.parse().ok()?,
        account: plain
            .u
            .map(|(id, display_name)| Account { id, display_name }),
        refresh: RefreshToken::new(&*plain.r),
        access: (!plain.k.is_empty()).then(access),
    };
    let times = Times {
        issued,
        lapses,
        ends,
        began_in: plain.i.map(Incarnation).unwrap_or_default(),
    };
    Some((carried, times))
}
