//! Who follows the log, and up to which place each is done with it: segments behind all of them may go.

use std::sync::{Arc, Mutex};

use crate::db::{Inner, guard};
use crate::tail::Position;

/// Upkeeps for which the place of a follower that has gone is kept: it may come back from where it was.
const PATIENCE: u32 = 3;

/// The followers of a store.
#[derive(Debug, Default)]
pub(crate) struct Followers(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    next: u64,
    /// Upkeeps so far: before the second, followers of an earlier process may not have come back.
    upkeeps: u32,
    seats: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    seat: u64,
    /// Read and dealt with up to here.
    needs: Position,
    /// The number of upkeeps when it went.
    left: Option<u32>,
}

/// A follower among them, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Seat {
    store: Arc<Inner>,
    number: u64,
}

impl Seat {
    pub(crate) fn take(store: Arc<Inner>, needs: Position) -> Self {
        let number = {
            let mut list = guard(&store.followers.0);
            list.next += 1;
            let seat = list.next;
            list.seats.push(Place { seat, needs, left: None });
            seat
        };
        Self { store, number }
    }

    /// What is before `position` is dealt with.
    pub(crate) fn done(&self, position: Position) {
        let mut list = guard(&self.store.followers.0);
        let own = list.seats.iter_mut().find(|place| place.seat == self.number);
        if let Some(place) = own {
            place.needs = place.needs.max(position);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut list = guard(&self.store.followers.0);
        let now = list.upkeeps;
        let own = list.seats.iter_mut().find(|place| place.seat == self.number);
        if let Some(place) = own {
            place.left = Some(now);
        }
    }
}

impl Followers {
    /// Counts an upkeep, and forgets who has been away for long.
    pub(crate) fn upkeep(&self) {
        let mut list = guard(&self.0);
        list.upkeeps = list.upkeeps.saturating_add(1);
        let now = list.upkeeps;
        list.seats.retain(|place| place.left.is_none_or(|left| now - left < PATIENCE));
    }

    /// The oldest segment that a follower still needs; none where no follower needs any.
    pub(crate) fn oldest(&self) -> Option<u64> {
        let list = guard(&self.0);
        if list.upkeeps < 2 {
            return Some(0);
        }
        list.seats.iter().map(|place| place.needs.segment).min()
    }
}
