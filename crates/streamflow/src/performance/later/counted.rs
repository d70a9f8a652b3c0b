//! Which answers of a period count: one for each entity, so that who asks often does not decide.
//!
//! An entity with a label counts with its newest answer that has one, and any other with its newest answer. Measured over all
//! answers, a thousand of one entity would weigh as much as a thousand entities, and the intervals, which take rows for
//! independent, would be too narrow. Where the number of answers depends on the outcome, no weight but one for each entity is
//! about the entities (Hoffman, Sen and Weinberg 2001, doi:10.1093/biomet/88.4.1121). An answer that names nobody counts by
//! itself.

use std::collections::HashMap;

/// The answers that count, in their order.
pub struct Counted {
    pub rows: Vec<usize>,
    /// Different entities that are named.
    pub entities: usize,
    /// Answers that name nobody.
    pub unnamed: usize,
    /// Entities of whom the labels of the period say different things.
    pub changed: usize,
}

/// What is known of an entity.
struct Entity {
    row: usize,
    has_changed: bool,
}

/// Chooses the answers by their entities (0 for nobody), their times and their labels (NaN for none).
pub fn counted(entities: &[u64], times_us: &[i64], labels: &[f64]) -> Counted {
    let mut of_entity: HashMap<u64, Entity> = HashMap::new();
    let mut rows = Vec::new();
    for (row, entity) in entities.iter().enumerate() {
        if *entity == 0 {
            rows.push(row);
            continue;
        }
        let known = of_entity.entry(*entity).or_insert(Entity { row, has_changed: false });
        let is_labelled = |row: usize| !labels[row].is_nan();
        known.has_changed |=
            is_labelled(row) && is_labelled(known.row) && labels[row].total_cmp(&labels[known.row]).is_ne();
        let rank = |row: usize| (is_labelled(row), times_us[row]);
        if rank(row) >= rank(known.row) {
            known.row = row;
        }
    }
    let (unnamed, entities) = (rows.len(), of_entity.len());
    let changed = of_entity.values().filter(|known| known.has_changed).count();
    rows.extend(of_entity.into_values().map(|known| known.row));
    rows.sort_unstable();
    Counted { rows, entities, unnamed, changed }
}

impl Counted {
    /// What the reader has to know of it, in sentences.
    pub fn notes(&self, answers: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if self.rows.len() < answers {
            notes.push(format!(
                "{} answers are about {} entities, and each counts once, with its newest answer that has a label.",
                answers - self.unnamed,
                self.entities
            ));
        }
        if self.unnamed > 0 {
            notes.push(format!(
                "{} answers name no entity, so each of them counts: who was asked about often weighs more.",
                self.unnamed
            ));
        }
        if self.changed > 0 {
            notes.push(format!(
                "The labels of {} entities differ within the period, and the newest counts; a shorter period (--by day or \
                 hour) counts more of them.",
                self.changed
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_counts_once_with_its_newest_label() {
        const NONE: f64 = f64::NAN;
        for (entities, times_us, labels, expected) in [
            (&[1, 1, 1][..], &[5, 7, 6][..], &[NONE, NONE, NONE][..], (&[1][..], 1, 0, 0)),
            // A label goes before a newer answer without one, and the order of the answers does not matter.
            (&[1, 2, 1], &[5, 6, 7], &[0.0, NONE, NONE], (&[0, 1], 2, 0, 0)),
            (&[1, 1, 2, 2], &[9, 5, 5, 9], &[1.0, 0.0, 1.0, 1.0], (&[0, 3], 2, 0, 1)),
            // Of answers at the same time the later one.
            (&[1, 1], &[5, 5], &[1.0, 1.0], (&[1], 1, 0, 0)),
            (&[0, 1, 0], &[5, 5, 5], &[NONE, 1.0, 0.0], (&[0, 1, 2], 1, 2, 0)),
            (&[], &[], &[], (&[], 0, 0, 0)),
        ] {
            let found = counted(entities, times_us, labels);
            assert_eq!(
                (&*found.rows, found.entities, found.unnamed, found.changed),
                expected,
                "{entities:?} {labels:?}"
            );
        }
    }
}
