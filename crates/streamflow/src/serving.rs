//! What is served: one model and the newest features of every entity, swapped as one value.
//!
//! A request loads the current [`Serving`] once and answers from it alone, so that every response comes
//! from one model and one `as_of`, also while a newer one is being put in its place.

use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use hashbrown::{DefaultHashBuilder, HashTable};
use serde::ser::{Serialize, SerializeMap, Serializer};
use streamflow_dataset::{Frame, Period, Values};
use streamflow_model::{FeatureValue, Model};

/// The served model and features; empty until the first load. Swapping is atomic and never waits for requests.
pub type Served = Arc<ArcSwapOption<Serving>>;

/// A model with the features it predicts from.
pub struct Serving {
    /// The fitted model.
    pub model: Model,
    /// Its name in the registry.
    pub model_name: String,
    /// Its version in the registry.
    pub model_version: String,
    /// The snapshot the features were read from.
    pub as_of: Period,
    /// The name of the entity's column, which is also the field of a request.
    pub entity_name: String,
    /// The newest features of every entity.
    pub features: OnlineFeatures,
}

impl Serving {
    /// The probability of the positive class for the entity at `row`.
    #[must_use]
    pub fn predict(&self, row: Row) -> f64 {
        let encoded = self.model.encode(&self.features.values(row));
        self.model.predict_row(&encoded.expect("the features were taken for this model").values)
    }

    /// Whether a probability is at or over the model's decision threshold.
    #[must_use]
    pub fn is_positive(&self, probability: f64) -> bool {
        probability >= self.model.threshold()
    }
}

/// Why a point-in-time table cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The table lacks a column that was asked for.
    #[error("the table has no column {0:?}")]
    NoColumn(String),
    /// The entity's column is neither text nor integer.
    #[error("entity column {column:?} holds {found} values, expected string or integer")]
    EntityType {
        /// The column.
        column: String,
        /// What it holds.
        found: &'static str,
    },
    /// No model takes a feature of this type.
    #[error("feature {0:?} is a date, expected a number, boolean or text")]
    DateFeature(String),
    /// A feature's type is another than when the model was trained.
    #[error("the table does not fit the model: {0}")]
    Model(#[from] streamflow_model::Error),
    /// A row without an entity could never be asked for.
    #[error("row {row} of the table has no value in entity column {column:?}")]
    NoEntity {
        /// The column.
        column: String,
        /// The row, from 0.
        row: usize,
    },
    /// Two rows for one entity leave its features undefined.
    #[error("entity {0:?} occurs in two rows of the table, expected one")]
    DuplicateEntity(String),
    /// Row numbers are 32 bits wide.
    #[error("the table has {0} rows, at most {max} can be served", max = u32::MAX)]
    TooManyRows(usize),
}

/// What a request names an entity by; it has to be of the entity column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// An integer.
    Integer(i64),
}

impl std::fmt::Display for Entity<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entity::Text(text) => text.fmt(formatter),
            Entity::Integer(number) => number.fmt(formatter),
        }
    }
}

impl Serialize for Entity<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Entity::Text(text) => serializer.serialize_str(text),
            Entity::Integer(number) => serializer.serialize_i64(*number),
        }
    }
}

/// The place of a known entity in one [`OnlineFeatures`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row(u32);

/// The newest features of every entity, in columns.
///
/// Memory for a million entities with ids of 10 bytes: about 25 MB of index, and 1 to 8 bytes a feature.
pub struct OnlineFeatures {
    entities: EntityIndex,
    names: Vec<String>,
    columns: Vec<Packed>,
}

impl OnlineFeatures {
    /// Takes the features that `model` was trained on, in its order, out of a point-in-time table keyed by
    /// column `entity`. Other columns of the table are dropped. A missing feature stays missing.
    ///
    /// # Errors
    /// A column is absent or of another type than the model was trained on; an entity is missing, occurs
    /// twice or is neither text nor integer.
    pub fn for_model(model: &Model, table: &Frame, entity: &str) -> Result<Self, Error> {
        let names: Vec<String> = model.schema().features.iter().map(|feature| feature.name.clone()).collect();
        let features = Self::new(table, entity, &names)?;
        model.encode(&features.columns.iter().map(Packed::example).collect::<Vec<_>>())?;
        Ok(features)
    }

    fn new(table: &Frame, entity: &str, features: &[String]) -> Result<Self, Error> {
        if u32::try_from(table.rows).is_err() {
            return Err(Error::TooManyRows(table.rows));
        }
        let values = |name: &str| match table.column(name) {
            Some(column) => Ok(&column.values),
            None => Err(Error::NoColumn(name.to_owned())),
        };
        let entities = EntityIndex::new(entity, values(entity)?)?;
        let columns =
            features.iter().map(|name| Packed::new(name, values(name)?)).collect::<Result<_, _>>()?;
        Ok(OnlineFeatures { entities, names: features.to_vec(), columns })
    }

    /// Number of entities.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entities.ends.len()
    }

    /// Whether there is no entity at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the features, in the configured order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether entities are integers; otherwise they are strings.
    #[must_use]
    pub fn entity_is_integer(&self) -> bool {
        self.entities.is_integer
    }

    /// Where an entity's features are; `None` when it is unknown or of the other type.
    #[must_use]
    pub fn find(&self, entity: &Entity<'_>) -> Option<Row> {
        match entity {
            Entity::Text(text) if !self.entities.is_integer => self.entities.find(text),
            Entity::Integer(number) if self.entities.is_integer => self.entities.find(&number.to_string()),
            _ => None,
        }
    }

    /// The features of a row as the model takes them, in the configured order.
    #[must_use]
    pub fn values(&self, row: Row) -> Vec<FeatureValue<'_>> {
        self.columns.iter().map(|column| column.value(row)).collect()
    }

    /// The features of a row, to be written as an object in the configured order: integers as integers,
    /// booleans as booleans, missing and non-finite values as null.
    #[must_use]
    pub fn used(&self, row: Row) -> FeaturesUsed<'_> {
        FeaturesUsed { features: self, row }
    }
}

/// One entity's features as a JSON object; see [`OnlineFeatures::used`].
#[derive(Clone, Copy)]
pub struct FeaturesUsed<'a> {
    features: &'a OnlineFeatures,
    row: Row,
}

impl Serialize for FeaturesUsed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.features.names.len()))?;
        for (name, column) in self.features.names.iter().zip(&self.features.columns) {
            column.write(&mut map, name, self.row)?;
        }
        map.end()
    }
}

/// Ids end to end in one allocation, found through a table of row numbers: an id costs its bytes and
/// about 15 more, where a map of strings costs 60.
struct EntityIndex {
    is_integer: bool,
    bytes: String,
    ends: Vec<usize>,
    rows: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl EntityIndex {
    fn new(column: &str, values: &Values) -> Result<Self, Error> {
        let no_entity = |row| Error::NoEntity { column: column.to_owned(), row };
        let wrong_type = |found| Err(Error::EntityType { column: column.to_owned(), found });
        let mut index = EntityIndex {
            is_integer: false,
            bytes: String::new(),
            ends: Vec::new(),
            rows: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        };
        match values {
            Values::Text { codes, levels } => {
                index.reserve(codes.len());
                for (row, &code) in codes.iter().enumerate() {
                    index.push(levels.get(code as usize).ok_or_else(|| no_entity(row))?)?;
                }
            }
            Values::Integer(numbers) => {
                index.is_integer = true;
                index.reserve(numbers.len());
                for (row, number) in numbers.iter().enumerate() {
                    index.push(&number.ok_or_else(|| no_entity(row))?.to_string())?;
                }
            }
            Values::Float(_) => return wrong_type("float"),
            Values::Boolean(_) => return wrong_type("boolean"),
            Values::Date(_) => return wrong_type("date"),
        }
        index.bytes.shrink_to_fit();
        Ok(index)
    }

    fn reserve(&mut self, rows: usize) {
        self.ends.reserve_exact(rows);
        // Nothing is in the table yet, so nothing is hashed again.
        self.rows.reserve(rows, |_| 0);
    }

    fn push(&mut self, id: &str) -> Result<(), Error> {
        if self.find(id).is_some() {
            return Err(Error::DuplicateEntity(id.to_owned()));
        }
        let row = u32::try_from(self.ends.len()).map_err(|_| Error::TooManyRows(self.ends.len()))?;
        self.bytes.push_str(id);
        self.ends.push(self.bytes.len());
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.rows.insert_unique(hasher.hash_one(id), row, |&row| hasher.hash_one(id_at(bytes, ends, row)));
        Ok(())
    }

    fn find(&self, id: &str) -> Option<Row> {
        let same = |&row: &u32| id_at(&self.bytes, &self.ends, row) == id;
        self.rows.find(self.hasher.hash_one(id), same).map(|&row| Row(row))
    }
}

fn id_at<'a>(bytes: &'a str, ends: &[usize], row: u32) -> &'a str {
    let row = row as usize;
    let start = if row == 0 { 0 } else { ends[row - 1] };
    &bytes[start..ends[row]]
}

/// A feature's column at the narrowest width that holds it.
enum Packed {
    Float(Vec<f64>),
    Integer(Integers),
    Boolean(Vec<Option<bool>>),
    Text { codes: Integers, levels: Vec<String> },
}

impl Packed {
    fn new(name: &str, values: &Values) -> Result<Self, Error> {
        Ok(match values {
            Values::Float(values) => Packed::Float(values.clone()),
            Values::Integer(values) => Packed::Integer(Integers::new(values.iter().copied())),
            Values::Boolean(values) => Packed::Boolean(values.clone()),
            Values::Text { codes, levels } => {
                let known = codes
                    .iter()
                    .map(|&code| Some(i64::from(code)).filter(|_| (code as usize) < levels.len()));
                Packed::Text { codes: Integers::new(known), levels: levels.clone() }
            }
            Values::Date(_) => return Err(Error::DateFeature(name.to_owned())),
        })
    }

    /// A value of the column's type.
    fn example(&self) -> FeatureValue<'_> {
        match self {
            Packed::Float(_) | Packed::Integer(_) => FeatureValue::Number(0.0),
            Packed::Boolean(_) => FeatureValue::Boolean(false),
            Packed::Text { .. } => FeatureValue::Text(""),
        }
    }

    fn value(&self, row: Row) -> FeatureValue<'_> {
        match self {
            Packed::Float(values) => FeatureValue::Number(values[row.0 as usize]),
            Packed::Integer(values) => {
                values.get(row).map_or(FeatureValue::Missing, |value| FeatureValue::Number(value as f64))
            }
            Packed::Boolean(values) => {
                values[row.0 as usize].map_or(FeatureValue::Missing, FeatureValue::Boolean)
            }
            Packed::Text { .. } => self.text(row).map_or(FeatureValue::Missing, FeatureValue::Text),
        }
    }

    fn text(&self, row: Row) -> Option<&str> {
        let Packed::Text { codes, levels } = self else { return None };
        codes.get(row).and_then(|code| levels.get(usize::try_from(code).ok()?)).map(String::as_str)
    }

    fn write<M: SerializeMap>(&self, map: &mut M, name: &str, row: Row) -> Result<(), M::Error> {
        match self {
            Packed::Float(values) => map.serialize_entry(name, &values[row.0 as usize]),
            Packed::Integer(values) => map.serialize_entry(name, &values.get(row)),
            Packed::Boolean(values) => map.serialize_entry(name, &values[row.0 as usize]),
            Packed::Text { .. } => map.serialize_entry(name, &self.text(row)),
        }
    }
}

/// Optional integers at the narrowest width; the least value of a width stands for missing.
enum Integers {
    Bits8(Vec<i8>),
    Bits16(Vec<i16>),
    Bits32(Vec<i32>),
    Bits64(Vec<Option<i64>>),
}

impl Integers {
    fn new(values: impl Iterator<Item = Option<i64>> + Clone) -> Self {
        if let Some(narrow) = narrow(values.clone(), i8::MIN) {
            Integers::Bits8(narrow)
        } else if let Some(narrow) = narrow(values.clone(), i16::MIN) {
            Integers::Bits16(narrow)
        } else if let Some(narrow) = narrow(values.clone(), i32::MIN) {
            Integers::Bits32(narrow)
        } else {
            Integers::Bits64(values.collect())
        }
    }

    fn get(&self, row: Row) -> Option<i64> {
        let row = row.0 as usize;
        match self {
            Integers::Bits8(values) => Some(values[row]).filter(|&value| value != i8::MIN).map(i64::from),
            Integers::Bits16(values) => Some(values[row]).filter(|&value| value != i16::MIN).map(i64::from),
            Integers::Bits32(values) => Some(values[row]).filter(|&value| value != i32::MIN).map(i64::from),
            Integers::Bits64(values) => values[row],
        }
    }
}

/// The values in width `T`, or `None` when one of them does not fit or is `missing` itself.
fn narrow<T: TryFrom<i64> + Copy + PartialEq>(
    values: impl Iterator<Item = Option<i64>>,
    missing: T,
) -> Option<Vec<T>> {
    let fit = |value: Option<i64>| match value {
        None => Some(missing),
        Some(value) => T::try_from(value).ok().filter(|&narrow| narrow != missing),
    };
    values.map(fit).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use streamflow_dataset::Column;

    use super::*;

    fn frame(columns: Vec<(&str, Values)>) -> Frame {
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        let columns =
            columns.into_iter().map(|(name, values)| Column { name: name.into(), values }).collect();
        Frame { columns, rows }
    }

    fn text(values: &[&str]) -> Values {
        Values::Text {
            codes: (0..values.len() as u32).collect(),
            levels: values.iter().map(|&v| v.into()).collect(),
        }
    }

    fn used(features: &OnlineFeatures, id: &str) -> String {
        let row = features.find(&Entity::Text(id.into())).unwrap();
        serde_json::to_string(&features.used(row)).unwrap()
    }

    #[test]
    fn features_are_written_in_the_configured_order_and_missing_as_null() {
        let frame = frame(vec![
            ("label", Values::Boolean(vec![None, None])),
            ("float", Values::Float(vec![29.85, f64::NAN])),
            ("infinite", Values::Float(vec![f64::INFINITY, f64::NEG_INFINITY])),
            ("integer", Values::Integer(vec![Some(3), None])),
            ("boolean", Values::Boolean(vec![Some(false), None])),
            ("text", Values::Text { codes: vec![0, u32::MAX], levels: vec!["a \"b\"".into()] }),
            ("id", text(&["x", "y"])),
        ]);
        let names = ["text", "integer", "float", "boolean", "infinite"].map(String::from);
        let features = OnlineFeatures::new(&frame, "id", &names).unwrap();
        assert_eq!(
            used(&features, "x"),
            r#"{"text":"a \"b\"","integer":3,"float":29.85,"boolean":false,"infinite":null}"#
        );
        assert_eq!(
            used(&features, "y"),
            r#"{"text":null,"integer":null,"float":null,"boolean":null,"infinite":null}"#
        );
    }

    #[test]
    fn an_entity_is_found_by_its_own_type_only() {
        let texts = OnlineFeatures::new(&frame(vec![("id", text(&["7", ""]))]), "id", &[]).unwrap();
        assert!(texts.find(&Entity::Text("7".into())).is_some());
        assert!(texts.find(&Entity::Text("".into())).is_some());
        assert!(texts.find(&Entity::Integer(7)).is_none());
        let integers = Values::Integer(vec![Some(7), Some(i64::MIN)]);
        let integers = OnlineFeatures::new(&frame(vec![("id", integers)]), "id", &[]).unwrap();
        assert!(integers.find(&Entity::Integer(i64::MIN)).is_some());
        assert!(integers.find(&Entity::Text("7".into())).is_none());
    }

    #[test]
    fn an_empty_table_knows_nobody() {
        let features = OnlineFeatures::new(&frame(vec![("id", text(&[]))]), "id", &[]).unwrap();
        assert!(features.is_empty());
        assert!(features.find(&Entity::Text("".into())).is_none());
    }

    #[test]
    fn tables_that_cannot_be_served_are_refused() {
        let check = |values: Values, feature: &[&str], expected: &str| {
            let names: Vec<String> = feature.iter().map(|&name| name.into()).collect();
            let error = OnlineFeatures::new(&frame(vec![("id", values)]), "id", &names).err().unwrap();
            assert_eq!(error.to_string(), expected);
        };
        check(text(&["a"]), &["age"], "the table has no column \"age\"");
        check(
            Values::Float(vec![1.0]),
            &[],
            "entity column \"id\" holds float values, expected string or integer",
        );
        check(
            Values::Integer(vec![Some(1), None]),
            &[],
            "row 1 of the table has no value in entity column \"id\"",
        );
        check(
            Values::Integer(vec![Some(1), Some(1)]),
            &[],
            "entity \"1\" occurs in two rows of the table, expected one",
        );
        let dated = frame(vec![("id", text(&["a"])), ("day", Values::Date(vec![None]))]);
        let error = OnlineFeatures::new(&dated, "id", &["day".into()]).err().unwrap();
        assert_eq!(error.to_string(), "feature \"day\" is a date, expected a number, boolean or text");
        let missing = Values::Text { codes: vec![u32::MAX], levels: vec![] };
        check(missing, &[], "row 0 of the table has no value in entity column \"id\"");
    }

    proptest! {
        #[test]
        fn packing_loses_nothing(
            bits in 1_u32..64,
            values in prop::collection::vec(prop::option::weighted(0.8, any::<i64>()), 0..50),
        ) {
            // Shifted so that every width occurs.
            let values: Vec<Option<i64>> = values.into_iter().map(|value| value.map(|value| value >> bits)).collect();
            let packed = Integers::new(values.iter().copied());
            let unpacked: Vec<_> = (0..values.len() as u32).map(|row| packed.get(Row(row))).collect();
            prop_assert_eq!(unpacked, values);
        }

        #[test]
        fn every_entity_is_found_in_its_own_row(ids in prop::collection::hash_set(".{0,12}", 0..200)) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let position = Values::Integer((0..ids.len() as i64).map(Some).collect());
            let features = OnlineFeatures::new(&frame(vec![("id", text(&ids)), ("at", position)]), "id", &["at".into()]).unwrap();
            for (position, id) in ids.iter().enumerate() {
                prop_assert_eq!(used(&features, id), format!("{{\"at\":{position}}}"));
            }
        }
    }
}
