//! The classes of one feature, and how many rows of the reference each of them has.

use serde::{Deserialize, Serialize};

use crate::hash::entity_hash;

/// Number of classes of equal share that a number's range is cut into, and of classes of hashed texts.
pub(crate) const CLASSES: usize = 20;

/// Categories up to which each is its own class; of more the texts are hashed into [`CLASSES`] classes.
const MOST_LEVELS: usize = 30;

/// A value as a request carries it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Missing,
    /// A number; NaN is missing.
    Number(f64),
    /// A truth value, which is the category `true` or `false`.
    Boolean(bool),
    /// A category or a text.
    Text(&'a str),
}

/// How a value becomes a class. After the classes of values follows one for missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Classes {
    /// Numbers: class `i` holds those over edge `i − 1` up to and with edge `i`, the last those over all edges. A value
    /// that is more than a twentieth of the reference is a class of its own. Edges are stored as bits, so that reading
    /// them changes none.
    Numbers {
        /// Ascending.
        #[serde(with = "bits")]
        edges: Vec<f64>,
    },
    /// Categories of the reference, ascending, and one class for all others.
    Levels {
        /// Ascending.
        levels: Vec<String>,
    },
    /// Texts and categories too many for a class each, by their hash.
    Hashed,
}

/// One feature of the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureReference {
    /// The feature's name.
    pub name: String,
    /// How its values are classed.
    pub classes: Classes,
    /// Rows of the reference by class; the last are those without a value.
    pub counts: Vec<u64>,
}

impl FeatureReference {
    /// A numerical feature of these values; NaN is missing.
    ///
    /// Without a tie the classes hold equal shares: any continuous feature gives the same numbers, whatever its unit.
    /// O(n log n).
    #[must_use]
    pub fn numerical(name: impl Into<String>, mut values: Vec<f64>) -> Self {
        let rows = values.len();
        values.retain(|value| !value.is_nan());
        let missing = rows - values.len();
        // Both zeros are one value.
        values.iter_mut().for_each(|value| *value += 0.0);
        values.sort_unstable_by(f64::total_cmp);
        let classes = Classes::Numbers { edges: edges(&values) };
        let mut counts = vec![0; classes.number() + 1];
        for value in values {
            counts[classes.class(Value::Number(value))] += 1;
        }
        counts[classes.number()] = missing as u64;
        Self { name: name.into(), classes, counts }
    }

    /// A categorical or text feature: the rows of each category, and those without a value. A category may occur in
    /// several entries.
    #[must_use]
    pub fn categorical<'a>(
        name: impl Into<String>,
        rows: impl IntoIterator<Item = (&'a str, u64)>,
        missing: u64,
    ) -> Self {
        let mut sums = std::collections::BTreeMap::<&str, u64>::new();
        for (level, rows) in rows {
            *sums.entry(level).or_default() += rows;
        }
        sums.retain(|_, rows| *rows > 0);
        let classes = if sums.len() > MOST_LEVELS {
            Classes::Hashed
        } else {
            Classes::Levels { levels: sums.keys().map(|&level| level.to_owned()).collect() }
        };
        let mut counts = vec![0; classes.number() + 1];
        for (level, rows) in sums {
            counts[classes.class(Value::Text(level))] += rows;
        }
        counts[classes.number()] = missing;
        Self { name: name.into(), classes, counts }
    }

    /// Whether the feature is of numbers; else it is of categories.
    #[must_use]
    pub fn is_numerical(&self) -> bool {
        matches!(self.classes, Classes::Numbers { .. })
    }

    /// Rows of the reference, those without a value too.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What a class holds, in words for a reader: `≤ 4.5`, `< 1`, `monthly`, `missing`.
    #[must_use]
    pub fn class_name(&self, class: usize) -> String {
        if class == self.classes.number() {
            return "missing".to_owned();
        }
        match &self.classes {
            Classes::Numbers { edges } => number_class(edges, class),
            Classes::Levels { levels } => levels.get(class).map_or("others", String::as_str).to_owned(),
            Classes::Hashed => format!("texts {}", class + 1),
        }
    }
}

fn number_class(edges: &[f64], class: usize) -> String {
    let edge = |at: usize| edges.get(at).copied();
    let below = class.checked_sub(1).and_then(edge);
    match (below, edge(class)) {
        (None, None) => "all".to_owned(),
        (Some(low), Some(high)) if low.next_up() == high => format!("{high}"),
        // What lies below a value that stands alone.
        (_, Some(high))
            if let Some(alone) = edge(class + 1)
                && alone == high.next_up() =>
        {
            format!("< {alone}")
        }
        (_, Some(high)) => format!("≤ {high}"),
        (Some(low), None) => format!("> {low}"),
    }
}

impl Classes {
    /// Number of classes of values, at most 255; the class of missing has this number.
    #[must_use]
    pub fn number(&self) -> usize {
        match self {
            Classes::Numbers { edges } => edges.len() + 1,
            Classes::Levels { levels } => levels.len() + 1,
            Classes::Hashed => CLASSES,
        }
    }

    /// The class of a value. A number where categories are expected is one of the others; a text where numbers are
    /// expected is missing, as the model cannot have read it.
    #[must_use]
    pub fn class(&self, value: Value<'_>) -> usize {
        match (self, value) {
            (_, Value::Missing) => self.number(),
            (Classes::Numbers { .. }, Value::Number(number)) if number.is_nan() => self.number(),
            // Counting all is faster than a search: there are few, and no branch is guessed wrongly.
            (Classes::Numbers { edges }, Value::Number(number)) => {
                edges.iter().filter(|edge| **edge < number).count()
            }
            (Classes::Numbers { .. }, Value::Boolean(_) | Value::Text(_)) => self.number(),
            (_, Value::Boolean(truth)) => self.class(Value::Text(if truth { "true" } else { "false" })),
            (Classes::Levels { levels }, Value::Text(text)) => {
                levels.iter().position(|level| level == text).unwrap_or(levels.len())
            }
            (Classes::Levels { levels }, Value::Number(_)) => levels.len(),
            (Classes::Hashed, Value::Text(text)) => hashed(text.as_bytes()),
            (Classes::Hashed, Value::Number(number)) => hashed(&number.to_bits().to_le_bytes()),
        }
    }

    /// Whether these are classes that a file may bring: their number, and the order that `class` relies on.
    pub(crate) fn is_sound(&self) -> bool {
        self.number() < usize::from(u8::MAX)
            && match self {
                Classes::Numbers { edges } => edges.is_sorted_by(|a, b| a < b),
                Classes::Levels { levels } => levels.is_sorted_by(|a, b| a < b),
                Classes::Hashed => true,
            }
    }
}

fn hashed(bytes: &[u8]) -> usize {
    (entity_hash(0, bytes) % CLASSES as u64) as usize
}

/// The edges of classes with about a twentieth of ascending values each; what is more frequent than that stands alone.
fn edges(sorted: &[f64]) -> Vec<f64> {
    let mut edges: Vec<f64> = Vec::new();
    let push = |edges: &mut Vec<f64>, edge: f64| {
        if edges.last().is_none_or(|last| *last < edge) {
            edges.push(edge);
        }
    };
    let (mut open, mut stands_alone) = (0, false);
    for group in sorted.chunk_by(|a, b| a == b) {
        let value = group[0];
        stands_alone = group.len() * CLASSES > sorted.len();
        if stands_alone {
            if value > f64::NEG_INFINITY {
                push(&mut edges, value.next_down());
            }
            push(&mut edges, value);
            open = 0;
            continue;
        }
        open += group.len();
        if open * CLASSES >= sorted.len() {
            push(&mut edges, value);
            open = 0;
        }
    }
    // Values over the largest of the reference belong to its class, unless that stands alone.
    if open == 0 && !stands_alone {
        edges.pop();
    }
    edges
}

mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(edges: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(edges.iter().map(|edge| edge.to_bits()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let bits = Vec::<u64>::deserialize(deserializer)?;
        Ok(bits.into_iter().map(f64::from_bits).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(values: &[f64]) -> Vec<u64> {
        FeatureReference::numerical("x", values.to_vec()).counts
    }

    #[test]
    fn numbers_without_ties_have_twenty_equal_classes() {
        let values: Vec<f64> = (0..2_000).map(f64::from).collect();
        let mut expected = vec![100; 20];
        expected.push(0);
        assert_eq!(counts(&values), expected);
    }

    #[test]
    fn frequent_values_stand_alone() {
        // Half are zeros; the rest lies over them.
        let values: Vec<f64> = (0..1_000).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) }).collect();
        let feature = FeatureReference::numerical("x", values);
        let class = |value| feature.classes.class(Value::Number(value));
        assert_eq!((class(-1e-300), class(-0.0), class(1e-300)), (0, 1, 2));
        assert_eq!(feature.counts[..3], [0, 500, 50]);
        assert_eq!((feature.class_name(0), feature.class_name(1)), ("< 0".to_owned(), "0".to_owned()));
        // A constant knows what lies below it and above it.
        let constant = FeatureReference::numerical("x", vec![5.0; 10]);
        assert_eq!(constant.counts, [0, 10, 0, 0]);
        let names: Vec<String> = (0..4).map(|class| constant.class_name(class)).collect();
        assert_eq!(names, ["< 5", "5", "> 5", "missing"]);
        for (value, expected) in [(4.9, 0), (5.0, 1), (5.1, 2), (f64::NAN, 3), (f64::INFINITY, 2)] {
            assert_eq!(constant.classes.class(Value::Number(value)), expected, "{value}");
        }
    }

    #[test]
    fn nothing_and_one_value_are_classed() {
        for (values, expected) in
            [(vec![], vec![0, 0]), (vec![f64::NAN], vec![0, 1]), (vec![f64::NEG_INFINITY; 2], vec![2, 0, 0])]
        {
            assert_eq!(counts(&values), expected, "{values:?}");
        }
    }

    #[test]
    fn categories_have_a_class_each_and_texts_are_hashed() {
        let few = FeatureReference::categorical("plan", [("yearly", 3), ("monthly", 4), ("yearly", 1)], 2);
        assert_eq!(few.counts, [4, 4, 0, 2]);
        for (value, expected) in [
            (Value::Text("monthly"), 0),
            (Value::Text("weekly"), 2),
            (Value::Number(1.0), 2),
            (Value::Boolean(true), 2),
            (Value::Missing, 3),
        ] {
            assert_eq!(few.classes.class(value), expected, "{value:?}");
        }
        assert_eq!((few.class_name(2), few.class_name(3)), ("others".to_owned(), "missing".to_owned()));
        let truth = FeatureReference::categorical("tv", [("false", 1), ("true", 1)], 0);
        assert_eq!(truth.classes.class(Value::Boolean(true)), 1);
        let names: Vec<String> = (0..31).map(|i| i.to_string()).collect();
        let many = FeatureReference::categorical("city", names.iter().map(|name| (name.as_str(), 1)), 0);
        assert_eq!((many.classes.clone(), many.rows(), many.counts.len()), (Classes::Hashed, 31, 21));
    }

    proptest! {
        #[test]
        fn classes_are_few_ordered_and_survive_json(
            values in prop::collection::vec(
                prop_oneof![(-3_i32..3).prop_map(f64::from), any::<f64>()], 0..300
            ),
        ) {
            let feature = FeatureReference::numerical("x", values.clone());
            prop_assert!(feature.classes.number() <= 3 * CLASSES, "{}", feature.classes.number());
            prop_assert!(feature.classes.is_sound());
            prop_assert_eq!(feature.rows(), values.len() as u64);
            let mut sorted: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
            sorted.sort_by(f64::total_cmp);
            let classes: Vec<usize> = sorted.iter().map(|&v| feature.classes.class(Value::Number(v))).collect();
            prop_assert!(classes.is_sorted());
            let text = serde_json::to_string(&feature).unwrap();
            prop_assert_eq!(serde_json::from_str::<FeatureReference>(&text).unwrap(), feature);
        }
    }
}
