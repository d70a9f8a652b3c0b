//! A search over the settings of trees by successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943).
//!
//! Settings are drawn at random. All of them are tried on the first fold; the better half of them goes on to twice as many
//! folds, and so on until the last fold, so that most of the time is spent on good ones. What was fitted on a fold is kept.
//! Drawing is by the seed alone, so the same number of trials gives the same result.

use std::ops::ControlFlow;

use crate::boosting::TreeSettings;
use crate::selection::Trials;
use crate::settings::Search;

/// Settings that are tried together when only time says when to stop.
const TRIALS_AT_ONCE: usize = 8;

/// How far a search is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Settings that were tried beside the defaults.
    pub trials: usize,
    /// How many there will be, where that is known.
    pub of: Option<usize>,
    /// The least loss on all folds: of log loss, or the root of the mean squared error.
    pub best_loss: f64,
    /// The settings that have it.
    pub best: TreeSettings,
}

/// Tries settings; where `watch` breaks off, what was tried on all folds by then counts.
pub(crate) fn search(
    trials: &mut Trials,
    search: Search,
    seed: u64,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) {
    let defaults = trials.all.len();
    let of = match search {
        Search::Trials(trials) => Some(trials),
        Search::UntilStopped => None,
    };
    let mut draws = Draws { state: seed };
    loop {
        let done = trials.all.len() - defaults;
        let count = of.map_or(TRIALS_AT_ONCE, |of| of - done);
        if count == 0
            || bracket(trials, count, &mut draws, &mut |trials| watch(&progress(trials, defaults, of)))
                .is_break()
        {
            return;
        }
    }
}

/// Draws so many settings and halves them until all folds were used.
fn bracket(
    trials: &mut Trials,
    count: usize,
    draws: &mut Draws,
    watch: &mut dyn FnMut(&Trials) -> ControlFlow<()>,
) -> ControlFlow<()> {
    watch(trials)?;
    let mut alive: Vec<usize> = (0..count).map(|_| trials.add(draws.tree())).collect();
    let mut folds = 1.min(trials.folds());
    loop {
        // A batch at a time, so that a search can be stopped between them.
        for batch in alive.chunks(TRIALS_AT_ONCE) {
            trials.run(batch, folds);
            watch(trials)?;
        }
        if folds == trials.folds() {
            return ControlFlow::Continue(());
        }
        alive.sort_by(|&a, &b| trials.loss(a).total_cmp(&trials.loss(b)));
        alive.truncate(alive.len().div_ceil(2));
        folds = (folds * 2).min(trials.folds());
    }
}

fn progress(trials: &Trials, defaults: usize, of: Option<usize>) -> Progress {
    let best = trials.best();
    Progress {
        trials: trials.tried() - defaults,
        of,
        best_loss: trials.loss(best),
        best: trials.all[best].tree,
    }
}

/// Random settings: the depth in 1..=8, the others evenly by their logarithm.
struct Draws {
    state: u64,
}

impl Draws {
    fn tree(&mut self) -> TreeSettings {
        TreeSettings {
            max_depth: 1 + (self.uniform() * 8.0) as usize,
            learning_rate: self.between(0.02, 0.3),
            l2: self.between(0.1, 30.0),
            min_leaf_weight: self.between(1.0, 50.0),
        }
    }

    /// With three digits: they are read in tables.
    fn between(&mut self, least: f64, most: f64) -> f64 {
        let value = least * (most / least).powf(self.uniform());
        let digits = 10_f64.powi(2 - value.log10().floor() as i32);
        (value * digits).round() / digits
    }

    /// SplitMix64 (Steele et al. 2014, doi:10.1145/2714064.2660195), in [0, 1).
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_drawn_from_all_of_their_ranges() {
        let mut draws = Draws { state: 7 };
        let drawn: Vec<TreeSettings> = (0..2000).map(|_| draws.tree()).collect();
        for depth in 1..=8 {
            let share = drawn.iter().filter(|tree| tree.max_depth == depth).count() as f64 / 2000.0;
            assert!((share - 0.125).abs() < 0.03, "{depth} {share}");
        }
        let median = |of: fn(&TreeSettings) -> f64| {
            let mut values: Vec<f64> = drawn.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            (values[0], values[1000], values[1999])
        };
        for (found, (least, most)) in [
            (median(|tree| tree.learning_rate), (0.02, 0.3)),
            (median(|tree| tree.l2), (0.1, 30.0)),
            (median(|tree| tree.min_leaf_weight), (1.0, 50.0)),
        ] {
            let middle = f64::sqrt(least * most);
            assert!(found.0 >= least && found.0 < least * 1.05 && found.2 <= most && found.2 > most * 0.95);
            assert!((found.1 / middle - 1.0).abs() < 0.2, "{found:?}");
        }
    }
}
