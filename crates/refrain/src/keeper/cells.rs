//! The grants that this process has been asked for, by name; a million at most.
//!
//! Whether there is a grant of a name is found out after its cell is made, and names can be made up. So a
//! cell that holds no token goes when nobody has it any more.

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
/// So many cells in a part are few: none is looked for that could go.
const FEW: usize = 64;

/// The cells.
#[derive(Debug)]
pub(super) struct Cells {
    hasher: RandomState,
    shards: Vec<RwLock<Shard>>,
}

#[derive(Debug)]
struct Shard {
    cells: HashSet<ByName, RandomState>,
    /// At so many cells those that can go are looked for.
    full: usize,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            cells: HashSet::default(),
            full: FEW,
        }
    }
}

impl Shard {
    /// Lets those cells go that nobody has and that hold nothing. Whoever is about to take one waits for the
    /// lock on this part: there never are two cells of one name in anybody's hands.
    fn make_room(&mut self) {
        if self.cells.len() < self.full {
            return;
        }
        self.cells
            .retain(|it| Arc::strong_count(&it.0) > 1 || it.0.live.load().is_some());
        // As many again may be made before all are looked at once more.
        self.full = FEW.max(self.cells.len().saturating_mul(2));
    }
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
        shard.cells.get(name).map(|cell| Arc::clone(&cell.0))
    }

    /// The cell of a grant.
    pub(super) fn get_or_new(&self, name: &GrantName) -> Arc<Cell> {
        if let Some(cell) = self.get(name) {
            return cell;
        }
        let cell = Arc::new(Cell::new(name.clone()));
        if let Some(shard) = self.shard(name) {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(faster) = shard.cells.get(name) {
                return Arc::clone(&faster.0);
            }
            shard.make_room();
            shard.cells.insert(ByName(Arc::clone(&cell)));
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
            let cells = shard.cells.iter().filter(|cell| wanted(&cell.0));
            cells.map(|cell| Arc::clone(&cell.0)).collect()
        })
    }

    fn shard(&self, name: &GrantName) -> Option<&RwLock<Shard>> {
        let hash = self.hasher.hash_one(name);
        // The upper bits: the sets use the lower ones of a hash of their own.
        let index = usize::try_from(hash >> 32).unwrap_or(0) % SHARDS;
        self.shards.get(index)
    }
}

#[cfg(test)]
mod tests {
    use shuttle::{check_random, thread};

    use super::*;

    fn name(text: &str) -> GrantName {
        text.parse().unwrap()
    }

    /// Asks for so many grants that there are not.
    fn make_up(cells: &Cells, names: usize) {
        for number in 0..names {
            cells.get_or_new(&name(&format!("made-up-{number}")));
        }
    }

    fn count(cells: &Cells) -> usize {
        cells.filter(|_| true).map(|shard| shard.len()).sum()
    }

    #[test]
    fn names_that_are_made_up_leave_few_cells() {
        let run = || {
            let cells = Cells::new();
            let held: Vec<_> = (0..100)
                .map(|number| cells.get_or_new(&name(&format!("held-{number}"))))
                .collect();
            make_up(&cells, 3 * FEW * SHARDS);
            assert!(count(&cells) <= FEW * SHARDS, "{}", count(&cells));
            for cell in held {
                assert!(Arc::ptr_eq(&cell, &cells.get_or_new(&cell.name)));
            }
        };
        check_random(run, 1);
    }

    #[test]
    fn there_never_are_two_cells_of_one_grant() {
        let run = || {
            let cells = Arc::new(Cells::new());
            let alice = name("alice");
            let takers = [(); 2].map(|()| {
                let (cells, alice) = (Arc::clone(&cells), alice.clone());
                thread::spawn(move || {
                    drop(cells.get_or_new(&alice));
                    cells.get_or_new(&alice)
                })
            });
            let shard = cells.shard(&alice).unwrap();
            let beside = (0..).map(|number| name(&format!("made-up-{number}")));
            let beside = beside.filter(|it| std::ptr::eq(cells.shard(it).unwrap(), shard));
            for made_up in beside.take(8) {
                shard.write().unwrap().full = 1;
                cells.get_or_new(&made_up);
            }
            let [one, other] = takers.map(|it| it.join().unwrap());
            assert!(Arc::ptr_eq(&one, &other));
            assert!(Arc::ptr_eq(&one, &cells.get_or_new(&alice)));
        };
        check_random(run, 500);
    }
}
