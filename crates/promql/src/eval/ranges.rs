//! Which samples stand at an end of the ranges that a function looks at.

use crate::eval::grid::Grid;
use crate::eval::selector::Reading;

/// The ranges at all steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranges {
    pub(crate) reading: Reading,
    pub(crate) range_ms: i64,
    pub(crate) grid: Grid,
}

impl Ranges {
    /// Tells whether a sample is the first or the last one of any range, by the time of the one before it, its own and the
    /// next one's.
    pub(crate) fn end_at(&self, [before, time, next]: [i64; 3]) -> bool {
        self.any_ends(time, next)
            || self.any_ends(before.saturating_add(self.range_ms), time.saturating_add(self.range_ms))
    }

    /// Tells whether any range ends from `from` on and before `to`.
    fn any_ends(&self, from: i64, to: i64) -> bool {
        let first = self.reading.time(self.grid.start_ms);
        if self.grid.step_ms == 0 || self.reading.at_ms.is_some() {
            return (from..to).contains(&first);
        }
        let step = self.grid.step_ms;
        let before = from.saturating_sub(first).max(0);
        let place = before / step + i64::from(before % step > 0);
        place < self.grid.steps as i64 && first.saturating_add(place.saturating_mul(step)) < to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ends_are_those_of_the_ranges(
            steps in proptest::collection::vec(1_i64..30, 1..60),
            (start, step, count) in (-100_i64..500, 0_i64..90, 1_usize..20),
            (range_ms, offset_ms, at) in (1_i64..200, -50_i64..50, proptest::option::of(0_i64..500)),
        ) {
            let times: Vec<i64> = steps.iter().scan(0, |time, step| { *time += step; Some(*time) }).collect();
            let grid = if step == 0 { Grid::instant(start) } else { Grid::every(step, start, start + step * count as i64) };
            let ranges = Ranges { reading: Reading { at_ms: at, offset_ms }, range_ms, grid };
            for (place, around) in times.windows(3).enumerate() {
                let expected = grid.times().any(|time| {
                    let end = ranges.reading.time(time);
                    let inside: Vec<usize> = (0..times.len()).filter(|&at| times[at] > end - range_ms && times[at] <= end).collect();
                    inside.first() == Some(&(place + 1)) || inside.last() == Some(&(place + 1))
                });
                prop_assert!(!expected || ranges.end_at([around[0], around[1], around[2]]));
            }
        }
    }
}
