//! Who may call at all, and how often: allowlist, the owner's Premium, 30 s window, quota.

use std::collections::VecDeque;

use http::StatusCode;

use super::Caller;
use crate::answer::Answer;
use crate::clock::UnixMs;
use crate::model::AppMode;
use crate::world::World;

const WINDOW_MS: i64 = 30_000;
const QUOTA_MS: i64 = 86_400_000;

const NOT_REGISTERED: &str = "User not registered in the Developer Dashboard";
const OWNER_NOT_PREMIUM: &str = "Active premium subscription required for the owner of the app. \
     When the subscription status changes, it can take a few hours before requests are allowed \
     again.";

/// Gives the 403 or 429 that refuses the call, if there is one; counts the call otherwise.
pub(super) fn check(world: &mut World, caller: &Caller) -> Result<(), Answer> {
    let Some(app) = world.app(&caller.client_id) else {
        return Err(Answer::api_error(StatusCode::FORBIDDEN, "Forbidden", None));
    };
    let dev = app.mode == AppMode::Dev;
    if dev && !app.owner_premium {
        return Err(Answer::text(StatusCode::FORBIDDEN, OWNER_NOT_PREMIUM));
    }
    if caller.user.as_ref().is_some_and(|user| !app.allows(user)) {
        return Err(Answer::text(StatusCode::FORBIDDEN, NOT_REGISTERED));
    }
    let owner = app.owner.clone();
    let now = world.now();
    if let Some(limit) = world.profile.rate_limit {
        let calls = world.rate.entry(caller.client_id.clone()).or_default();
        if let Some(wait) = take(calls, now, limit, WINDOW_MS) {
            return Err(throttled(Some(&wait.to_string()), false));
        }
    }
    if let Some(limit) = world.profile.quota.filter(|_| dev) {
        let calls = world.quota.entry(owner).or_default();
        if let Some(wait) = take(calls, now, limit, QUOTA_MS) {
            return Err(throttled(Some(&wait.to_string()), true));
        }
    }
    Ok(())
}

/// The 429 of the 30 s window or of the development-mode quota.
pub(crate) fn throttled(retry_after: Option<&str>, quota: bool) -> Answer {
    let status = StatusCode::TOO_MANY_REQUESTS;
    let answer = if quota {
        Answer::api_error(status, "Too many requests", Some("QUOTA_EXCEEDED"))
    } else {
        Answer::api_error(status, "API rate limit exceeded", None)
    };
    match retry_after {
        Some(value) => answer.with("retry-after", value),
        None => answer,
    }
}

/// Counts a call in a rolling window, or tells the seconds until there is room.
fn take(calls: &mut VecDeque<UnixMs>, now: UnixMs, limit: u32, window: i64) -> Option<i64> {
    while calls
        .front()
        .is_some_and(|at| at.saturating_add(window) <= now)
    {
        calls.pop_front();
    }
    if calls.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
        calls.push_back(now);
        return None;
    }
    let free_at = calls
        .front()
        .map_or(now.saturating_add(window), |at| at.saturating_add(window));
    Some((free_at - now + 999).div_euclid(1000).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_texts_have_the_lengths_seen_in_the_wild() {
        assert_eq!(NOT_REGISTERED.len(), 46);
        assert_eq!(OWNER_NOT_PREMIUM.len(), 159);
    }

    #[test]
    fn a_rolling_window_frees_the_oldest_call_first() {
        let mut calls = VecDeque::new();
        assert_eq!(take(&mut calls, 0, 2, 30_000), None);
        assert_eq!(take(&mut calls, 10_000, 2, 30_000), None);
        assert_eq!(take(&mut calls, 10_001, 2, 30_000), Some(20));
        assert_eq!(take(&mut calls, 30_000, 2, 30_000), None);
        assert_eq!(take(&mut calls, 30_000, 2, 30_000), Some(10));
    }
}
