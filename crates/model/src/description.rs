//! How a model was trained, in words.

use streamflow_performance::MIN_ISOTONIC_ROWS;

use crate::settings::{Calibration, ClassWeight, Validation};
use crate::{Direction, TrainingRecord};

impl TrainingRecord {
    /// What was chosen and asked for, as names and values; what was left at its default is not told, but for the trees.
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let (settings, selection) = (&self.settings, &self.selection);
        let tree = selection.tree(settings);
        let mut lines = vec![(
            "trees",
            format!(
                "{} of depth {}, learning rate {}, L2 {}, leaf weight {}",
                selection.rounds, tree.max_depth, tree.learning_rate, tree.l2, tree.min_leaf_weight
            ),
        )];
        if settings.validation == Validation::Time {
            lines.push(("validation", format!("by time; learned from {}", self.months.join(", "))));
        }
        match &settings.class_weight {
            ClassWeight::Equal => {}
            ClassWeight::Rule(_) => lines.push(("class weights", "balanced".to_owned())),
            ClassWeight::Of(weights) => {
                let weights = weights.iter().map(|(class, weight)| format!("{class} {weight}"));
                lines.push(("class weights", weights.collect::<Vec<_>>().join(", ")));
            }
        }
        if !settings.monotone.is_empty() {
            let word = |direction| match direction {
                Direction::Increasing => "increasing",
                Direction::Decreasing => "decreasing",
            };
            let features =
                settings.monotone.iter().map(|(name, direction)| format!("{} in {name}", word(*direction)));
            lines.push(("monotone", features.collect::<Vec<_>>().join(", ")));
        }
        if settings.search.is_some() {
            let all = &selection.candidates;
            let given_up = all.iter().filter(|tried| tried.folds.is_some()).count();
            let best = all.iter().filter(|tried| tried.folds.is_none()).map(|tried| tried.loss());
            let least = best.fold(f64::INFINITY, f64::min);
            lines.push((
                "search",
                format!("{} settings tried, {given_up} given up early; least loss {least:.5}", all.len()),
            ));
        }
        match (&selection.calibration, settings.calibration) {
            (Some(found), _) => {
                let intercepts: Vec<String> =
                    found.intercepts.iter().map(|intercept| format!("{intercept:.3}")).collect();
                let (slope, rows, intercepts) = (found.slope, found.rows, intercepts.join(", "));
                lines.push((
                    "calibration",
                    format!("slope {slope:.3}, intercept {intercepts}, by {rows} held-out rows"),
                ));
            }
            (None, Calibration::Sigmoid) => lines.push((
                "calibration",
                "none: the held-out rows lack a class, or larger scores are less likely there".to_owned(),
            )),
            (None, Calibration::Isotonic | Calibration::None) => {}
        }
        match (&selection.isotonic, settings.calibration) {
            (Some(found), _) => lines.push((
                "calibration",
                format!("isotonic, {} knots, by {} held-out rows", found.curve.knots().len(), found.rows),
            )),
            (None, Calibration::Isotonic) => lines.push((
                "calibration",
                format!(
                    "none: isotonic calibration needs {MIN_ISOTONIC_ROWS} held-out rows whose larger scores are the more likely ones; \
                     \"sigmoid\" needs fewer"
                ),
            )),
            (None, Calibration::Sigmoid | Calibration::None) => {}
        }
        lines
    }

    /// How it was trained in a few words, for lists: `trained, 327 trees, sigmoid`.
    pub fn summary(&self) -> String {
        let (settings, selection) = (&self.settings, &self.selection);
        let trees = if selection.rounds == 1 { "tree" } else { "trees" };
        let calibration = match (&selection.calibration, &selection.isotonic) {
            (Some(_), _) => Some("sigmoid"),
            (None, Some(_)) => Some("isotonic"),
            (None, None) => (settings.calibration != Calibration::None).then_some("not calibrated"),
        };
        let words = [
            (settings.validation == Validation::Time).then_some("validated by time"),
            (settings.class_weight != ClassWeight::Equal).then_some("weighted"),
            (!settings.monotone.is_empty()).then_some("monotone"),
            settings.search.map(|_| "searched"),
            calibration,
        ];
        let mut summary = format!("trained, {} {trees}", selection.rounds);
        words.into_iter().flatten().for_each(|word| summary.extend([", ", word]));
        summary
    }
}
