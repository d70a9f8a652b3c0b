//! A feature's column at the narrowest width that holds it.

use serde::ser::SerializeMap;
use streamflow_dataset::Values;
use streamflow_model::FeatureValue;

use super::Row;

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
    #[error("{0}")]
    NoEntity(#[from] streamflow_dataset::Error),
    /// Two rows for one entity leave its features undefined.
    #[error("entity {0:?} occurs in two rows of the table, expected one")]
    DuplicateEntity(String),
    /// Row numbers are 32 bits wide.
    #[error("the table has {0} rows, at most {max} can be served", max = u32::MAX)]
    TooManyRows(usize),
}

/// A feature's column at the narrowest width that holds it.
pub enum Packed {
    Float(Vec<f64>),
    Integer(Integers),
    Boolean(Vec<Option<bool>>),
    Text { codes: Integers, levels: Vec<String> },
}

impl Packed {
    pub fn new(name: &str, values: Values) -> Result<Self, Error> {
        Ok(match values {
            Values::Float(values) => Packed::Float(values),
            Values::Integer(values) => Packed::Integer(Integers::new(values.iter().copied())),
            Values::Boolean(values) => Packed::Boolean(values),
            Values::Text { codes, levels } => {
                let known = codes
                    .iter()
                    .map(|&code| Some(i64::from(code)).filter(|_| (code as usize) < levels.len()));
                Packed::Text { codes: Integers::new(known), levels }
            }
            Values::Date(_) => return Err(Error::DateFeature(name.to_owned())),
        })
    }

    /// A value of the column's type.
    pub fn example(&self) -> FeatureValue<'_> {
        match self {
            Packed::Float(_) | Packed::Integer(_) => FeatureValue::Number(0.0),
            Packed::Boolean(_) => FeatureValue::Boolean(false),
            Packed::Text { .. } => FeatureValue::Text(""),
        }
    }

    pub fn value(&self, row: Row) -> FeatureValue<'_> {
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

    pub fn write<M: SerializeMap>(&self, map: &mut M, name: &str, row: Row) -> Result<(), M::Error> {
        match self {
            Packed::Float(values) => map.serialize_entry(name, &values[row.0 as usize]),
            Packed::Integer(values) => map.serialize_entry(name, &values.get(row)),
            Packed::Boolean(values) => map.serialize_entry(name, &values[row.0 as usize]),
            Packed::Text { .. } => map.serialize_entry(name, &self.text(row)),
        }
    }

    /// Writes a value that is not stored here, in the type of the column where it is of that type.
    pub fn write_value<M: SerializeMap>(
        &self,
        map: &mut M,
        name: &str,
        value: &FeatureValue<'_>,
    ) -> Result<(), M::Error> {
        /// Up to here a number is one integer and no other.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match *value {
            FeatureValue::Missing => map.serialize_entry(name, &()),
            FeatureValue::Number(number)
                if matches!(self, Packed::Integer(_)) && number.fract() == 0.0 && number.abs() <= EXACT =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
                map.serialize_entry(name, &(number as i64))
            }
            FeatureValue::Number(number) => map.serialize_entry(name, &number),
            FeatureValue::Boolean(truth) => map.serialize_entry(name, &truth),
            FeatureValue::Text(text) => map.serialize_entry(name, text),
        }
    }
}

/// Optional integers at the narrowest width; the least value of a width stands for missing.
pub enum Integers {
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

    use super::*;

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
    }
}
