//! Tables of `POST /predict/batch` whose rows name entities: features without a column are looked up, as those of a JSON
//! batch are.

use std::borrow::Cow;

use streamflow_dataset::{Batch, Cell, KeyPart};
use streamflow_inference::Columns;
use streamflow_model::{Answer, FeatureValue};

use super::ApiState;
use super::error::ApiError;
use super::looked_up::{self, Origin};
use super::models::Target;
use super::observed::{Asked, ObservedRow};
use crate::scoring::{Answers, Refused, Rows};
use crate::serving::{Entity, Serving};

/// Where a table has the parts of the key, and the features that it brings.
pub struct Lookup<'s> {
    serving: &'s Serving,
    /// The columns of the table that are read: those of the key, then those of features.
    pub columns: Vec<usize>,
    /// For each feature its place in `columns`; none of one that is looked up.
    places: Vec<Option<usize>>,
}

impl<'s> Lookup<'s> {
    /// None where the table has all features itself, or does not name entities.
    ///
    /// # Errors
    /// Several columns with the name of a part of the key, or of a feature.
    pub fn of(target: &'s Target, names: &[&str]) -> Result<Option<Self>, ApiError> {
        let Target::Version(serving) = target else { return Ok(None) };
        let given = Columns::new(names);
        let find = |name: &String| given.find(name).map_err(|error| ApiError::Input(error.to_string()));
        let key = serving.key.columns().iter().map(find).collect::<Result<Option<Vec<usize>>, _>>()?;
        let Some(mut columns) = key else { return Ok(None) };
        let mut places = Vec::with_capacity(serving.features.names().len());
        for feature in serving.features.names() {
            places.push(find(feature)?.map(|column| {
                columns.push(column);
                columns.len() - 1
            }));
        }
        Ok(places.contains(&None).then_some(Self { serving, columns, places }))
    }

    /// Answers the rows of a batch, or none.
    ///
    /// # Errors
    /// An entity of another type than the key, or that nothing is known about, with its row; a value that the model does not
    /// take.
    pub fn scored(&self, batch: &Batch, state: &ApiState, asked: &Asked) -> Result<Answers, ApiError> {
        let entities = (0..batch.rows()).map(|row| self.entity(batch, row)).collect::<Result<Vec<_>, _>>()?;
        let origins = looked_up::of_many(state, self.serving, &entities)?;
        let found = entities.iter().zip(&origins).enumerate();
        let found = found.map(|(row, (entity, origin))| self.features(batch, row, entity, origin));
        let found = found.collect::<Result<Vec<_>, _>>()?;
        let cell = |row: usize, column: usize| match self.places[column] {
            Some(place) => batch.cell(place, row),
            None => stored(&found[row][column]),
        };
        let mut entities = entities.iter();
        let features_sent = self.places.iter().flatten().count();
        let mut tell = |features: &[FeatureValue], answer: &Answer| {
            let (serving, entity) = (self.serving, entities.next());
            let (features, answer) = (Some(features), Some(answer));
            let row = ObservedRow { asked, serving, entity, features, features_sent, answer, status: 200 };
            state.observers().into_iter().for_each(|observers| observers.row(&row));
        };
        let is_told = state.observers().is_some();
        let rows = Rows { number: batch.rows(), is_text: false };
        let answers = rows.of_version_shown(&self.serving.model, cell, is_told.then_some(&mut tell));
        answers.map_err(|Refused { row, error }| {
            ApiError::Input(match row {
                Some(row) => format!("{}: {error}", batch.position(row)),
                None => error.to_string(),
            })
        })
    }

    /// The entity of a row.
    fn entity<'b>(&'b self, batch: &'b Batch, row: usize) -> Result<Entity<'b>, ApiError> {
        let (serving, position) = (self.serving, batch.position(row));
        let types = serving.features.key_is_integer();
        let mut parts = Vec::with_capacity(types.len());
        for (place, (column, is_integer)) in serving.key.columns().iter().zip(types).enumerate() {
            parts.push(match (batch.cell(place, row), is_integer) {
                (Cell::Text(text), false) => KeyPart::Text(Cow::Borrowed(text)),
                (Cell::Integer(number), true) => KeyPart::Integer(number),
                (other, _) => {
                    let expected = if *is_integer { "an integer" } else { "a string" };
                    let message = format!("{position}: {column}: expected {expected}, got {}", kind(&other));
                    return Err(ApiError::Input(message));
                }
            });
        }
        Ok(Entity { key: &serving.key, parts })
    }

    /// What is known of the entity of a row.
    fn features<'b>(
        &'b self,
        batch: &Batch,
        row: usize,
        entity: &Entity<'_>,
        origin: &'b Origin,
    ) -> Result<Vec<FeatureValue<'b>>, ApiError> {
        let features = &self.serving.features;
        let in_place = origin.in_place(self.serving, |place| self.places[place].is_some())?;
        let at = if origin.is_nothing() { None } else { features.find(entity) };
        let is_given = |place: usize| {
            self.places[place].is_some() || in_place.binary_search_by_key(&place, |(of, _)| *of).is_ok()
        };
        let lacking = (0..self.places.len()).filter(|&place| !is_given(place));
        let lacking: Vec<String> = lacking.map(|place| features.names()[place].clone()).collect();
        if at.is_none() && !lacking.is_empty() {
            let position = batch.position(row);
            return Err(ApiError::MissingFeatures {
                error: format!("{position}: Missing features for {entity}; no row of the table was answered"),
                missing_features: lacking,
            });
        }
        Ok(features.merged(at, &in_place))
    }
}

/// What a table that lacks features could have instead.
pub fn remedy(target: &Target) -> String {
    match target {
        Target::Version(serving) => {
            format!(", or the entity as {}, by which what the table lacks is looked up", serving.key)
        }
        Target::File(_) => String::new(),
    }
}

/// A stored value as a cell.
fn stored<'v>(value: &FeatureValue<'v>) -> Cell<'v> {
    match *value {
        FeatureValue::Missing => Cell::Missing,
        FeatureValue::Number(number) => Cell::Float(number),
        FeatureValue::Boolean(truth) => Cell::Boolean(truth),
        FeatureValue::Text(text) => Cell::Text(text),
    }
}

fn kind(cell: &Cell) -> &'static str {
    match cell {
        Cell::Missing => "no value",
        Cell::Boolean(_) => "a boolean",
        Cell::Integer(_) => "an integer",
        Cell::Float(_) => "a number",
        Cell::Text(_) => "a string",
        Cell::Date(_) => "a date",
    }
}
