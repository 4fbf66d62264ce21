//! All grants that this process has been asked for, by name; a million at most.

use std::{
    borrow::Borrow,
    collections::HashSet,
    hash::{BuildHasher as _, Hash, Hasher},
    sync::{Arc, PoisonError},
};

use crate::{
    id::GrantName,
    keeper::{
        live::Cell,
        sync::{RandomState, RwLock},
    },
};

/// So many parts, each with a lock of its own: whoever walks over all cells holds up few.
const SHARDS: usize = 64;

/// The cells.
#[derive(Debug)]
pub(super) struct Cells {
    hasher: RandomState,
    shards: Vec<RwLock<HashSet<ByName, RandomState>>>,
}

/// A cell as the member of a set: its name is in it once.
#[derive(Debug)]
struct ByName(Arc<Cell>);

impl Borrow<GrantName> for ByName {
    fn borrow(&self) -> &GrantName {
        &self.0.name
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl Cells {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    /// The cell of a grant that was asked for before.
    pub(super) fn get(&self, name: &GrantName) -> Option<Arc<Cell>> {
        let shard = self.shard(name)?;
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(name).map(|cell| Arc::clone(&cell.0))
    }

    /// The cell of a grant.
    pub(super) fn get_or_new(&self, name: &GrantName) -> Arc<Cell> {
        if let Some(cell) = self.get(name) {
            return cell;
        }
        let cell = Arc::new(Cell::new(name.clone()));
        if let Some(shard) = self.shard(name) {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(faster) = shard.get(name) {
                return Arc::clone(&faster.0);
            }
            shard.insert(ByName(Arc::clone(&cell)));
        }
        cell
    }

    /// The cells that a question is answered yes for, one shard after the other.
    pub(super) fn filter<'a>(
        &'a self,
        wanted: impl Fn(&Cell) -> bool + 'a,
    ) -> impl Iterator<Item = Vec<Arc<Cell>>> + 'a {
        self.shards.iter().map(move |shard| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            let cells = shard.iter().filter(|cell| wanted(&cell.0));
            cells.map(|cell| Arc::clone(&cell.0)).collect()
        })
    }

    fn shard(&self, name: &GrantName) -> Option<&RwLock<HashSet<ByName, RandomState>>> {
        let hash = self.hasher.hash_one(name);
        // The upper bits: the sets use the lower ones of a hash of their own.
        let index = usize::try_from(hash >> 32).unwrap_or(0) % SHARDS;
        self.shards.get(index)
    }
}
