//! The newest features of every entity, in memory, found by the entity's name.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use serde::ser::{Serialize, SerializeMap, Serializer};
use streamflow_dataset::{EntityKey, Frame, KeyPart, Values};
use streamflow_model::{FeatureValue, Model};

use super::packed::{Error, Packed};

/// The place of a known entity in one [`OnlineFeatures`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row(pub(super) u32);

/// The newest features of every entity, in columns.
///
/// Memory for a million entities with ids of 10 bytes: about 25 MB of index, and 1 to 8 bytes a feature.
pub struct OnlineFeatures {
    entities: EntityIndex,
    names: Vec<String>,
    /// The places of the features, sorted by their names.
    by_name: Vec<usize>,
    columns: Vec<Packed>,
}

/// Values that stand in the place of stored ones: the place of each feature, in ascending order, and its value.
pub type InPlace<'a> = Vec<(usize, FeatureValue<'a>)>;

impl OnlineFeatures {
    /// Takes the features that `model` was trained on, in its order, out of a point-in-time table keyed by
    /// the columns of `key`. Other columns of the table are dropped. A missing feature stays missing.
    ///
    /// # Errors
    /// A column is absent or of another type than the model was trained on; an entity is missing, occurs
    /// twice or is neither text nor integer.
    pub fn for_model(model: &Model, table: Frame, key: &EntityKey) -> Result<Self, Error> {
        let names: Vec<String> = model.schema().features.iter().map(|feature| feature.name.clone()).collect();
        let features = Self::new(table, key, names)?;
        model.check_types(&features.columns.iter().map(Packed::example).collect::<Vec<_>>())?;
        Ok(features)
    }

    /// Whether `model` takes these features as they are, in this order.
    #[must_use]
    pub fn fit(&self, model: &Model) -> bool {
        let wanted = model.schema().features.iter().map(|feature| &feature.name);
        wanted.eq(&self.names)
            && model.check_types(&self.columns.iter().map(Packed::example).collect::<Vec<_>>()).is_ok()
    }

    fn new(mut table: Frame, key: &EntityKey, names: Vec<String>) -> Result<Self, Error> {
        if u32::try_from(table.rows).is_err() {
            return Err(Error::TooManyRows(table.rows));
        }
        let entities = EntityIndex::new(key, &mut table)?;
        let pack = |name: &String| Packed::new(name, take(&mut table, name)?);
        let columns = names.iter().map(pack).collect::<Result<_, _>>()?;
        let mut by_name: Vec<usize> = (0..names.len()).collect();
        by_name.sort_unstable_by_key(|&place| &names[place]);
        Ok(OnlineFeatures { entities, names, by_name, columns })
    }

    /// Number of entities.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entities.ends.len()
    }

    /// True when there is no entity at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the features, in the configured order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of the feature of this name among [`OnlineFeatures::names`].
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        let found = self.by_name.binary_search_by(|&place| self.names[place].as_str().cmp(name));
        found.ok().map(|at| self.by_name[at])
    }

    /// A value of the type that the feature at this place is stored in.
    #[must_use]
    pub fn example(&self, place: usize) -> FeatureValue<'_> {
        self.columns[place].example()
    }

    /// For each column of the key whether it holds integers; otherwise it holds strings.
    #[must_use]
    pub fn key_is_integer(&self) -> &[bool] {
        &self.entities.is_integer
    }

    /// The row of an entity's features; `None` when it is unknown or of the other type.
    #[must_use]
    pub fn find(&self, entity: &Entity<'_>) -> Option<Row> {
        let is_integer = |part: &KeyPart<'_>| matches!(part, KeyPart::Integer(_));
        if !entity.parts.iter().map(is_integer).eq(self.entities.is_integer.iter().copied()) {
            return None;
        }
        match entity.parts.as_slice() {
            [KeyPart::Text(text)] => self.entities.find(text),
            parts => self.entities.find(&entity.key.text(parts)),
        }
    }

    /// The texts that name some entities, spread over the table.
    #[must_use]
    pub fn some(&self, most: usize) -> Vec<&str> {
        let step = self.len().div_ceil(most.max(1)).max(1);
        let rows = self.rows().step_by(step);
        rows.map(|Row(row)| id_at(&self.entities.bytes, &self.entities.ends, row)).collect()
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).map(Row)
    }

    /// The features of a row as the model takes them, in the configured order.
    #[must_use]
    pub fn values(&self, row: Row) -> Vec<FeatureValue<'_>> {
        self.columns.iter().map(|column| column.value(row)).collect()
    }

    /// The same with other values in the place of stored ones. Of an entity without a row, what has no other value is missing.
    #[must_use]
    pub fn merged<'a>(&'a self, row: Option<Row>, sent: &InPlace<'a>) -> Vec<FeatureValue<'a>> {
        let none = || vec![FeatureValue::Missing; self.names.len()];
        let mut values = row.map_or_else(none, |row| self.values(row));
        sent.iter().for_each(|&(place, value)| values[place] = value);
        values
    }

    /// The values of [`OnlineFeatures::merged`], to be written as an object in the configured order: integers as integers,
    /// booleans as booleans, missing and non-finite values as null.
    #[must_use]
    pub fn used<'a>(&'a self, row: Option<Row>, in_place: InPlace<'a>) -> FeaturesUsed<'a> {
        FeaturesUsed { features: self, row, in_place }
    }
}

/// Takes the values of a column out of the table.
fn take(table: &mut Frame, name: &str) -> Result<Values, Error> {
    let place = table.columns.iter().position(|column| column.name == name);
    place.map(|place| table.columns.swap_remove(place).values).ok_or_else(|| Error::NoColumn(name.to_owned()))
}

/// What a request names an entity by: a part for each column of the key, of that column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity<'a> {
    /// The columns.
    pub key: &'a EntityKey,
    /// In their order.
    pub parts: Vec<KeyPart<'a>>,
}

impl Entity<'_> {
    /// The one text that names it, as [`EntityKey::text`] writes it.
    pub fn text(&self) -> String {
        self.key.text(&self.parts)
    }

    /// Writes each part under the name of its column.
    pub fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.key
            .columns()
            .iter()
            .zip(&self.parts)
            .try_for_each(|(column, part)| map.serialize_entry(column, part))
    }
}

/// `user_id=ada`, or `store=s1 sku=17`.
impl std::fmt::Display for Entity<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text();
        match self.key.single() {
            Some(column) => write!(formatter, "{column}={text}"),
            None => formatter.write_str(&text),
        }
    }
}

/// One entity's features as a JSON object; see [`OnlineFeatures::used`].
pub struct FeaturesUsed<'a> {
    features: &'a OnlineFeatures,
    row: Option<Row>,
    in_place: InPlace<'a>,
}

impl Serialize for FeaturesUsed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.features.names.len()))?;
        let mut in_place = self.in_place.iter().peekable();
        for (place, (name, column)) in self.features.names.iter().zip(&self.features.columns).enumerate() {
            match (in_place.next_if(|(of, _)| *of == place), self.row) {
                (Some((_, value)), _) => column.write_value(&mut map, name, value)?,
                (None, Some(row)) => column.write(&mut map, name, row)?,
                (None, None) => map.serialize_entry(name, &())?,
            }
        }
        map.end()
    }
}

/// Ids end to end in one allocation, found through a table of row numbers: an id costs its bytes and
/// about 15 more, where a map of strings costs 60.
struct EntityIndex {
    is_integer: Vec<bool>,
    bytes: String,
    ends: Vec<usize>,
    rows: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl EntityIndex {
    fn new(key: &EntityKey, table: &mut Frame) -> Result<Self, Error> {
        let mut index = EntityIndex {
            is_integer: Vec::new(),
            bytes: String::new(),
            ends: Vec::new(),
            rows: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        };
        for column in key.columns() {
            let found = table.column(column).ok_or_else(|| Error::NoColumn(column.clone()))?;
            index.is_integer.push(match found.values {
                Values::Integer(_) => true,
                Values::Text { .. } => false,
                Values::Float(_) => return Err(wrong_type(column, "float")),
                Values::Boolean(_) => return Err(wrong_type(column, "boolean")),
                Values::Date(_) => return Err(wrong_type(column, "date")),
            });
        }
        index.reserve(table.rows);
        for row in 0..table.rows {
            index.push(&key.text_of_row(table, row)?)?;
        }
        for column in key.columns() {
            take(table, column)?;
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

fn wrong_type(column: &str, found: &'static str) -> Error {
    Error::EntityType { column: column.to_owned(), found }
}

fn id_at<'a>(bytes: &'a str, ends: &[usize], row: u32) -> &'a str {
    let row = row as usize;
    let start = if row == 0 { 0 } else { ends[row - 1] };
    &bytes[start..ends[row]]
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

    fn id() -> EntityKey {
        EntityKey::new("id")
    }

    fn named(part: KeyPart<'_>) -> Entity<'_> {
        static KEY: std::sync::LazyLock<EntityKey> = std::sync::LazyLock::new(id);
        Entity { key: &KEY, parts: vec![part] }
    }

    fn used(features: &OnlineFeatures, id: &str) -> String {
        let row = features.find(&named(KeyPart::Text(id.into()))).unwrap();
        serde_json::to_string(&features.used(Some(row), Vec::new())).unwrap()
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
        let features = OnlineFeatures::new(frame, &id(), names.into()).unwrap();
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
    fn sent_values_are_written_in_the_type_of_their_column() {
        let frame = frame(vec![
            ("integer", Values::Integer(vec![Some(3)])),
            ("float", Values::Float(vec![29.85])),
            ("id", text(&["x"])),
        ]);
        let names = ["float", "integer"].map(String::from);
        let features = OnlineFeatures::new(frame, &id(), names.into()).unwrap();
        let row = features.find(&named(KeyPart::Text("x".into())));
        let shown = |row, sent: &[(usize, FeatureValue<'static>)]| {
            serde_json::to_string(&features.used(row, sent.to_vec())).unwrap()
        };
        for (sent, expected) in [
            (&[][..], r#"{"float":29.85,"integer":3}"#),
            (&[(0, FeatureValue::Number(5.0))], r#"{"float":5.0,"integer":3}"#),
            (&[(1, FeatureValue::Number(5.0))], r#"{"float":29.85,"integer":5}"#),
            (&[(1, FeatureValue::Number(-0.5))], r#"{"float":29.85,"integer":-0.5}"#),
            (&[(1, FeatureValue::Number(1e300))], r#"{"float":29.85,"integer":1e+300}"#),
            (&[(0, FeatureValue::Missing), (1, FeatureValue::Missing)], r#"{"float":null,"integer":null}"#),
        ] {
            assert_eq!(shown(row, sent), expected);
        }
        assert_eq!(shown(None, &[(1, FeatureValue::Number(2.0))]), r#"{"float":null,"integer":2}"#);
        assert_eq!(
            (features.place("float"), features.place("integer"), features.place("id")),
            (Some(0), Some(1), None)
        );
    }

    #[test]
    fn an_entity_is_found_by_its_own_type_only() {
        let texts = OnlineFeatures::new(frame(vec![("id", text(&["7", ""]))]), &id(), vec![]).unwrap();
        assert!(texts.find(&named(KeyPart::Text("7".into()))).is_some());
        assert!(texts.find(&named(KeyPart::Text("".into()))).is_some());
        assert!(texts.find(&named(KeyPart::Integer(7))).is_none());
        let integers = Values::Integer(vec![Some(7), Some(i64::MIN)]);
        let integers = OnlineFeatures::new(frame(vec![("id", integers)]), &id(), vec![]).unwrap();
        assert!(integers.find(&named(KeyPart::Integer(i64::MIN))).is_some());
        assert!(integers.find(&named(KeyPart::Text("7".into()))).is_none());
    }

    #[test]
    fn an_empty_table_knows_nobody() {
        let features = OnlineFeatures::new(frame(vec![("id", text(&[]))]), &id(), vec![]).unwrap();
        assert!(features.is_empty());
        assert!(features.find(&named(KeyPart::Text("".into()))).is_none());
    }

    #[test]
    fn tables_that_cannot_be_served_are_refused() {
        let check = |values: Values, feature: &[&str], expected: &str| {
            let names: Vec<String> = feature.iter().map(|&name| name.into()).collect();
            let error = OnlineFeatures::new(frame(vec![("id", values)]), &id(), names).err().unwrap();
            assert_eq!(error.to_string(), expected);
        };
        check(text(&["a"]), &["age"], "the table has no column \"age\"");
        check(
            Values::Float(vec![1.0]),
            &[],
            "entity column \"id\" holds float values, expected string or integer",
        );
        check(Values::Integer(vec![Some(1), None]), &[], "row 1 of the table has no id");
        check(
            Values::Integer(vec![Some(1), Some(1)]),
            &[],
            "entity \"1\" occurs in two rows of the table, expected one",
        );
        let dated = frame(vec![("id", text(&["a"])), ("day", Values::Date(vec![None]))]);
        let error = OnlineFeatures::new(dated, &id(), vec!["day".into()]).err().unwrap();
        assert_eq!(error.to_string(), "feature \"day\" is a date, expected a number, boolean or text");
        let missing = Values::Text { codes: vec![u32::MAX], levels: vec![] };
        check(missing, &[], "row 0 of the table has no id");
    }

    proptest! {
        #[test]
        fn every_entity_is_found_in_its_own_row(ids in prop::collection::hash_set(".{0,12}", 0..200)) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let position = Values::Integer((0..ids.len() as i64).map(Some).collect());
            let features = OnlineFeatures::new(frame(vec![("id", text(&ids)), ("at", position)]), &id(), vec!["at".into()]).unwrap();
            for (position, id) in ids.iter().enumerate() {
                prop_assert_eq!(used(&features, id), format!("{{\"at\":{position}}}"));
            }
        }
    }
}
