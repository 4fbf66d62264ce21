//! What was told, and deliveries, in memory.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    access::Grants,
    id::{GrantId, GrantName},
    notice::{Delivery, Message, Target, TargetId, delivery::Settled},
    store::{
        NewsMark, NewsPage, Noted, Notices, Store as _, StoreError, Telling, Version, Versioned,
        memory::{MemoryStore, Tables},
    },
    time::{StoreInstant, UnixMillis},
};

/// A delivery, whose it is, and until when somebody has it.
#[derive(Debug)]
pub(super) struct DeliveryRow {
    delivery: Delivery,
    grant: Option<GrantId>,
    leased: Option<StoreInstant>,
}

impl DeliveryRow {
    pub(super) fn is_about(&self, grant: &GrantName) -> bool {
        self.delivery.grant.as_ref() == Some(grant)
    }
}

impl Tables {
    fn tell(&mut self, telling: &Telling, to: &[Target]) -> bool {
        let held = self.told.get(&telling.grant);
        let version = held.map(|told| told.version);
        if version != telling.seen {
            return false;
        }
        let told = Versioned {
            value: telling.told,
            version: Version(version.map_or(1, |it| it.0 + 1)),
        };
        self.told.insert(telling.grant.clone(), told);
        let as_read = self.grants.values().find(|row| {
            let row = &row.value;
            row.id == telling.grant
                && row.epoch == telling.epoch
                && row.status.word() == telling.status
        });
        if let Some(row) = as_read {
            let name = row.value.name.clone();
            match telling.next_at {
                Some(at) => self.news.insert(name, at),
                None => self.news.remove(&name),
            };
        }
        if telling.drops {
            self.notices.retain(|row| {
                row.grant.as_ref() != Some(&telling.grant) || row.delivery.next_at.is_none()
            });
        }
        for message in &telling.messages {
            self.send(message, to);
        }
        true
    }

    fn send(&mut self, message: &Message, to: &[Target]) {
        for target in to {
            self.numbers += 1;
            self.notices.push(DeliveryRow {
                delivery: Delivery {
                    number: self.numbers,
                    message: message.id.clone(),
                    kind: message.kind,
                    grant: message.grant.as_ref().map(|(_, name)| name.clone()),
                    body: message.body.clone(),
                    target: target.clone(),
                    made_at: message.made_at,
                    attempts: 0,
                    next_at: Some(message.made_at),
                    outcome: None,
                    delivered_at: None,
                    given_up_at: None,
                },
                grant: message.grant.as_ref().map(|(id, _)| id.clone()),
                leased: None,
            });
        }
    }
}

#[async_trait]
impl Notices for MemoryStore {
    async fn notices_since(&self, now: UnixMillis) -> Result<UnixMillis, StoreError> {
        Ok(*self.tables().notices_since.get_or_insert(now))
    }

    async fn news(
        &self,
        now: UnixMillis,
        after: Option<&NewsMark>,
        most: u32,
    ) -> Result<NewsPage, StoreError> {
        let tables = self.tables();
        let due = tables.news.iter().map(|(name, at)| (*at, name));
        let behind = |place: &(UnixMillis, &GrantName)| {
            after.is_none_or(|NewsMark(at, name)| *place > (*at, name))
        };
        let mut due: Vec<_> = due.filter(|it| it.0 <= now && behind(it)).collect();
        due.sort_unstable();
        due.truncate(most as usize);
        let last = due.last().map(|(at, name)| NewsMark(*at, (*name).clone()));
        let rows = due.iter().filter_map(|(_, name)| tables.grants.get(*name));
        let noted = rows.map(|row| {
            Ok(Noted {
                row: row.value.clone(),
                told: tables.told.get(&row.value.id).cloned(),
            })
        });
        let grants = noted.collect();
        Ok(NewsPage { grants, last })
    }

    async fn look_later(&self, grants: &[GrantName], at: UnixMillis) -> Result<(), StoreError> {
        let mut tables = self.tables();
        for name in grants {
            if let Some(look_at) = tables.news.get_mut(name) {
                *look_at = at.max(*look_at);
            }
        }
        Ok(())
    }

    async fn tell(&self, tellings: &[Telling], to: &[Target]) -> Result<Vec<bool>, StoreError> {
        let mut tables = self.tables();
        Ok(tellings.iter().map(|it| tables.tell(it, to)).collect())
    }

    async fn send(&self, message: &Message, to: &[Target]) -> Result<(), StoreError> {
        self.tables().send(message, to);
        Ok(())
    }

    async fn claim(
        &self,
        target: &TargetId,
        now: UnixMillis,
        lease: Duration,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let clock = self.now().await?;
        let mut tables = self.tables();
        if tables.notices_refused.contains(target) {
            return Ok(Vec::new());
        }
        let free = tables.notices.iter_mut().filter(|row| {
            let leased = row.leased.is_some_and(|it| !it.remaining(clock).is_zero());
            let due = row.delivery.next_at.is_some_and(|at| at <= now);
            row.delivery.target.id == *target && due && !leased
        });
        let claimed = free.take(most as usize).map(|row| {
            row.delivery.attempts += 1;
            row.leased = Some(clock.after(lease));
            row.delivery.clone()
        });
        Ok(claimed.collect())
    }

    async fn settle(
        &self,
        claimed: &Delivery,
        outcome: &str,
        at: UnixMillis,
        settled: Settled,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let row = tables.notices.iter_mut().find(|row| {
            let it = &row.delivery;
            it.number == claimed.number && it.attempts == claimed.attempts && it.next_at.is_some()
        });
        let Some(row) = row else { return Ok(false) };
        row.leased = None;
        row.delivery.outcome = Some(outcome.to_owned());
        row.delivery.next_at = match settled {
            Settled::Again(at) => Some(at),
            Settled::Delivered | Settled::GivenUp => None,
        };
        row.delivery.delivered_at = (settled == Settled::Delivered).then_some(at);
        row.delivery.given_up_at = (settled == Settled::GivenUp).then_some(at);
        Ok(true)
    }

    async fn deliveries(
        &self,
        of: &Grants,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let tables = self.tables();
        let rows = tables.notices.iter().rev().map(|row| &row.delivery);
        let told = rows.filter(|it| {
            let reached = it.grant.as_ref().map(|name| of.reach(name));
            before.is_none_or(|before| it.number < before) && reached.unwrap_or(*of == Grants::All)
        });
        Ok(told.take(most as usize).cloned().collect())
    }

    async fn refuse_notices(&self, target: &TargetId, at: UnixMillis) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.notices_refused.insert(target.clone());
        for row in &mut tables.notices {
            if row.delivery.target.id == *target && row.delivery.next_at.take().is_some() {
                row.delivery.given_up_at = Some(at);
            }
        }
        Ok(())
    }

    async fn refused_notices(&self) -> Result<Vec<TargetId>, StoreError> {
        Ok(self.tables().notices_refused.iter().cloned().collect())
    }

    async fn forgive_notices(&self, except: &[Target]) -> Result<(), StoreError> {
        let kept = |id: &TargetId| except.iter().any(|target| target.id == *id);
        self.tables().notices_refused.retain(kept);
        Ok(())
    }

    async fn name_targets(
        &self,
        targets: &[Target],
        now: UnixMillis,
        gone: UnixMillis,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let Tables {
            notices,
            notices_targets: named,
            ..
        } = &mut *tables;
        for target in targets {
            let before = named.get(&target.id).map(|(_, at)| *at);
            let at = before.map_or(now, |before| before.max(now));
            named.insert(target.id.clone(), (target.clone(), at));
        }
        named.retain(|_, (_, at)| *at >= gone);
        let before = notices.len();
        notices.retain(|row| {
            let it = &row.delivery;
            it.next_at.is_none() || it.made_at >= gone || named.contains_key(&it.target.id)
        });
        Ok((before - notices.len()) as u64)
    }

    async fn named_targets(&self, since: UnixMillis) -> Result<Vec<Target>, StoreError> {
        let tables = self.tables();
        let named = tables.notices_targets.values();
        let lately = named.filter(|(_, at)| *at >= since);
        Ok(lately.map(|(target, _)| target.clone()).collect())
    }

    async fn forget_notices(&self, made_before: UnixMillis) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables
            .notices
            .retain(|row| row.delivery.made_at >= made_before);
        Ok(())
    }
}
