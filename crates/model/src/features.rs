//! The input of training and prediction: named, typed columns and typed single values.

use std::collections::{BTreeSet, HashMap};

use crate::Error;

/// The code of a missing value in [`FeatureColumn::Categorical`].
pub const MISSING: u32 = u32::MAX;

/// One feature's values, one per row.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureColumn {
    /// Ordered values; NaN is missing. Infinities are the largest and smallest values there are.
    Numerical(Vec<f64>),
    /// Unordered values as indices into `levels`; [`MISSING`] is missing. Booleans are the levels
    /// `false` and `true`.
    Categorical {
        /// One index into `levels`, or [`MISSING`], per row.
        codes: Vec<u32>,
        /// The distinct values.
        levels: Vec<String>,
    },
}

impl FeatureColumn {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            FeatureColumn::Numerical(values) => values.len(),
            FeatureColumn::Categorical { codes, .. } => codes.len(),
        }
    }

    /// "numerical" or "categorical".
    fn kind_name(&self) -> &'static str {
        match self {
            FeatureColumn::Numerical(_) => "numerical",
            FeatureColumn::Categorical { .. } => "categorical",
        }
    }

    /// Adds the rows of another column; none where that is of another kind.
    fn append(&mut self, other: &FeatureColumn) -> Option<()> {
        match (self, other) {
            (FeatureColumn::Numerical(all), FeatureColumn::Numerical(more)) => all.extend(more),
            (
                FeatureColumn::Categorical { codes: all, levels },
                FeatureColumn::Categorical { codes, levels: names },
            ) => append_codes((all, levels), (codes, names)),
            _ => return None,
        }
        Some(())
    }
}

/// Adds codes of other names to codes, and names that are not among those that there are.
pub(crate) fn append_codes(
    (all, levels): (&mut Vec<u32>, &mut Vec<String>),
    (codes, names): (&[u32], &[String]),
) {
    let mut places: HashMap<String, u32> = levels.iter().cloned().zip(0..).collect();
    let mut place = |name: &String| {
        *places.entry(name.clone()).or_insert_with(|| {
            levels.push(name.clone());
            levels.len() as u32 - 1
        })
    };
    let of_names: Vec<u32> = names.iter().map(&mut place).collect();
    all.extend(codes.iter().map(|&code| if code == MISSING { MISSING } else { of_names[code as usize] }));
}

/// One value of one feature, as a request or an online feature store carries it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FeatureValue<'a> {
    /// No value.
    Missing,
    /// A value of a numerical feature; NaN is missing.
    Number(f64),
    /// A value of a categorical feature with the levels `false` and `true`.
    Boolean(bool),
    /// A value of a categorical feature.
    Text(&'a str),
}

/// Named columns of equal length: the rows to train on or to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    names: Vec<String>,
    columns: Vec<FeatureColumn>,
    rows: usize,
}

impl Features {
    /// Checks that names are unique, lengths are equal and codes name a level.
    ///
    /// # Errors
    /// [`Error::DuplicateFeature`], [`Error::RowCount`], [`Error::UnknownCode`]. No columns is not an
    /// error here: training refuses it.
    pub fn new(columns: Vec<(String, FeatureColumn)>) -> Result<Features, Error> {
        let rows = columns.first().map_or(0, |(_, column)| column.rows());
        let mut seen = BTreeSet::new();
        for (name, column) in &columns {
            if !seen.insert(name.as_str()) {
                return Err(Error::DuplicateFeature { feature: name.clone() });
            }
            if column.rows() != rows {
                return Err(Error::RowCount {
                    what: format!("feature {name:?}"),
                    expected: rows,
                    given: column.rows(),
                });
            }
            check_codes(name, column)?;
        }
        let (names, columns) = columns.into_iter().unzip();
        Ok(Features { names, columns, rows })
    }

    /// Names in column order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Columns in the order of [`Features::names`].
    pub fn columns(&self) -> &[FeatureColumn] {
        &self.columns
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows of several tables, one after another, with the columns of the first; they are found by name.
    ///
    /// # Errors
    /// [`Error::MissingFeature`] and [`Error::KindMismatch`] of a later table.
    pub fn concat(tables: &[Features]) -> Result<Features, Error> {
        let Some(first) = tables.first() else { return Features::new(Vec::new()) };
        let column = |name: &String, of_first: &FeatureColumn| {
            let expected = of_first.kind_name();
            let mut all = of_first.clone();
            for table in &tables[1..] {
                let missing = || Error::MissingFeature { feature: name.clone(), expected };
                let more = table.column(name).ok_or_else(missing)?;
                let given = more.kind_name();
                let mismatch = || Error::KindMismatch { feature: name.clone(), expected, given };
                all.append(more).ok_or_else(mismatch)?;
            }
            Ok((name.clone(), all))
        };
        let columns = first.names.iter().zip(&first.columns).map(|(name, values)| column(name, values));
        Features::new(columns.collect::<Result<_, Error>>()?)
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&FeatureColumn> {
        self.names.iter().position(|n| n == name).map(|i| &self.columns[i])
    }
}

fn check_codes(name: &str, column: &FeatureColumn) -> Result<(), Error> {
    let FeatureColumn::Categorical { codes, levels } = column else {
        return Ok(());
    };
    let known = |code: u32| code == MISSING || (code as usize) < levels.len();
    match codes.iter().position(|&code| !known(code)) {
        None => Ok(()),
        Some(row) => {
            Err(Error::UnknownCode { feature: name.to_string(), row, code: codes[row], levels: levels.len() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_follow_one_another_and_levels_keep_their_names() {
        let text = |codes: Vec<u32>, levels: &[&str]| FeatureColumn::Categorical {
            codes,
            levels: levels.iter().map(|level| level.to_string()).collect(),
        };
        let number = |values: &[f64]| ("x".to_string(), FeatureColumn::Numerical(values.to_vec()));
        let first = Features::new(vec![number(&[1.0]), ("t".into(), text(vec![1], &["a", "b"]))]).unwrap();
        let second = vec![("t".into(), text(vec![0, MISSING, 1], &["b", "c"])), number(&[2.0, 3.0, 4.0])];
        let second = Features::new(second).unwrap();
        let both = Features::concat(&[first.clone(), second.clone()]).unwrap();
        assert_eq!(both.columns()[0], number(&[1.0, 2.0, 3.0, 4.0]).1);
        assert_eq!(both.columns()[1], text(vec![1, 1, MISSING, 2], &["a", "b", "c"]));
        let other = Features::new(vec![("t".into(), text(vec![], &[]))]).unwrap();
        let error = Features::concat(&[second, other]).unwrap_err().to_string();
        assert!(error.starts_with("feature \"x\" is not among the given columns"), "{error}");
        let other = Features::new(vec![("x".into(), text(vec![], &[]))]).unwrap();
        let error = Features::concat(&[Features::new(vec![number(&[1.0])]).unwrap(), other]).unwrap_err();
        assert!(error.to_string().starts_with("feature \"x\" is categorical"), "{error}");
    }

    #[test]
    fn refuses_what_is_not_a_table() {
        let number = |n: usize| FeatureColumn::Numerical(vec![0.0; n]);
        let text = |codes: Vec<u32>| FeatureColumn::Categorical { codes, levels: vec!["a".into()] };
        let cases = [
            (vec![("x", number(2)), ("x", number(2))], "feature \"x\" was given twice; names must be unique"),
            (vec![("x", number(2)), ("y", number(3))], "feature \"y\" has 3 rows, but 2 were expected"),
            (
                vec![("t", text(vec![0, MISSING, 1]))],
                "feature \"t\" has code 1 at row 2, but only 1 levels (use MISSING for no value)",
            ),
        ];
        for (columns, expected) in cases {
            let columns = columns.into_iter().map(|(n, c)| (n.to_string(), c)).collect();
            assert_eq!(Features::new(columns).unwrap_err().to_string(), expected);
        }
    }
}
