//! Models that were trained elsewhere, in the place of our own: the file as it is, and which column each of its
//! features is taken from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use streamflow_inference::{self as inference, Value};

use crate::explain::Explaining;
use crate::mapping::{listed, mapped};
use crate::model::{Predictions, Predictor};
use crate::schema::{Feature, Kind, Level, Schema};
use crate::{
    Answer, Answers, Error, FeatureColumn, FeatureValue, Features, MISSING, Model, Task, TrainedEntities,
};

/// Rows that are scored at a time.
const BATCH_ROWS: usize = 4096;

/// The model of another library, shared by those that predict with it.
#[derive(Clone)]
pub(crate) struct Imported {
    pub model: Arc<inference::Model>,
    file: Arc<[u8]>,
}

impl std::fmt::Debug for Imported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Imported({}, {} bytes)", self.model.format(), self.file.len())
    }
}

/// The same file is the same model.
impl PartialEq for Imported {
    fn eq(&self, other: &Imported) -> bool {
        self.file == other.file
    }
}

/// An imported model and all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Predicts.
    pub model: Model,
    /// How it is used here.
    pub record: ImportRecord,
    pub(crate) file: Vec<u8>,
}

/// How an imported model is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportRecord {
    /// The name of the file that it came in.
    pub file: String,
    /// The format of the file.
    pub format: String,
    /// The library's name of the objective.
    pub objective: String,
    /// Number of trees, where it is made of trees alone.
    pub trees: Option<usize>,
    /// The features in the order of the model, and the columns that they are taken from.
    pub features: Vec<ImportedFeature>,
    /// The probability from which a row is predicted positive; of no use without two classes.
    pub threshold: f64,
    /// The names of the label's classes in the order of the model; empty without several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// The last date of its training data, where somebody has said it.
    pub trained_until: Option<String>,
    /// The entities that it was trained on, where somebody has listed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<TrainedEntities>,
    /// How it did at import on rows that it was not trained on; none where none is known to be such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<JudgedAtImport>,
    /// The mean size of what each feature adds to an answer, in the order of the features, over at most 500 rows of the
    /// month that the model was checked on; none of a model that cannot be explained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_abs_contributions: Option<Vec<f64>>,
}

/// What an imported model promised: the deciding metric of the month that it was checked on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedAtImport {
    /// The snapshot.
    pub as_of: String,
    /// Its labelled rows that the model was not trained on.
    pub rows: usize,
    /// The name of the metric.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// The 95 % interval.
    pub interval: (f64, f64),
}

/// A feature of an imported model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedFeature {
    /// The name in the model file.
    pub feature: String,
    /// The column of the dataset.
    pub column: String,
}

/// What an import is told beside the file.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportSettings {
    /// The name of the file.
    pub file: String,
    /// What the label is for.
    pub task: Task,
    /// The classes of the label where there are several, in the declared order where one is declared.
    pub classes: Vec<String>,
    /// Features whose columns have other names.
    pub mapping: Vec<ImportedFeature>,
    /// The probability from which a row is predicted positive.
    pub threshold: f64,
    /// The last date of its training data.
    pub trained_until: Option<String>,
    /// The entities of its training data.
    pub trained_on: Option<TrainedEntities>,
}

impl Import {
    /// Reads a model file and finds its features among the columns of a dataset.
    ///
    /// # Errors
    /// [`Error::Inference`] for what is no model, is not evaluated; [`Error::NoColumn`] for a feature that no column gives;
    /// [`Error::OtherTask`]; [`Error::OtherClasses`]; [`Error::Mapping`]; [`Error::InvalidSetting`] for a threshold outside of 0 to 1.
    pub fn new(file: Vec<u8>, columns: &[String], settings: ImportSettings) -> Result<Import, Error> {
        let model = inference::Model::read(&file)?;
        let given = Task::from(model.task());
        if given != settings.task {
            let (given, expected) = (given.words(), settings.task.words());
            return Err(Error::OtherTask { given, expected, task: settings.task });
        }
        let classes =
            if given == Task::Multiclass { classes(&model, &settings.classes)? } else { Vec::new() };
        if !(0.0..=1.0).contains(&settings.threshold) {
            let value = settings.threshold.to_string();
            return Err(Error::InvalidSetting { name: "threshold", value, expected: "a number from 0 to 1" });
        }
        let places = places(&model, columns, &settings.mapping)?;
        let feature = |(input, place): (&inference::Input, &usize)| ImportedFeature {
            feature: input.name.clone(),
            column: columns[*place].clone(),
        };
        let record = ImportRecord {
            file: settings.file,
            format: model.format().to_string(),
            objective: model.objective().to_owned(),
            trees: model.trees(),
            features: model.inputs().iter().zip(&places).map(feature).collect(),
            threshold: settings.threshold,
            classes,
            trained_until: settings.trained_until,
            trained_on: settings.trained_on,
            judged: None,
            mean_abs_contributions: None,
        };
        Import::of(file, model, record)
    }

    /// The import that was saved.
    pub(crate) fn from_record(file: Vec<u8>, record: ImportRecord) -> Result<Import, Error> {
        let model = inference::Model::read(&file)?;
        let (expected, given) = (model.inputs().len(), record.features.len());
        if expected != given {
            return Err(Error::FeatureCount { expected, given });
        }
        Import::of(file, model, record)
    }

    fn of(file: Vec<u8>, model: inference::Model, record: ImportRecord) -> Result<Import, Error> {
        let features = model.inputs().iter().zip(&record.features);
        let features = features.map(|(input, feature)| Feature {
            name: feature.column.clone(),
            kind: kind(&input.kind),
            missing_share: 0.0,
        });
        let schema = Schema { features: features.collect(), classes: record.classes.clone() };
        let threshold = record.threshold;
        let imported = Imported { model: Arc::new(model), file: file.clone().into() };
        Ok(Import {
            model: Model {
                schema,
                predictor: Predictor::Imported(imported),
                threshold,
                explaining: Explaining::default(),
            },
            record,
            file,
        })
    }

    /// The model file as it came.
    pub fn file(&self) -> &[u8] {
        &self.file
    }
}

/// The names of the model's classes: its own where the label has them; where the model counts its classes from 0, those of
/// the label in their order.
fn classes(model: &inference::Model, label: &[String]) -> Result<Vec<String>, Error> {
    let named = model.classes();
    let own: Vec<String> =
        (0..named.map_or(0, inference::Labels::len)).filter_map(|class| named?.text(class)).collect();
    if !own.is_empty() && own.iter().all(|class| label.contains(class)) {
        return Ok(own);
    }
    let is_counted = own.iter().enumerate().all(|(place, class)| *class == place.to_string());
    if is_counted && (own.is_empty() || own.len() == label.len()) && label.len() > 1 {
        return Ok(label.to_vec());
    }
    let (given, label) = (listed(own.iter().map(String::as_str)), listed(label.iter().map(String::as_str)));
    Err(Error::OtherClasses { given, label })
}

/// The place of each feature's column in a dataset.
fn places(
    model: &inference::Model,
    columns: &[String],
    mapping: &[ImportedFeature],
) -> Result<Vec<usize>, Error> {
    let features: Vec<&str> = model.inputs().iter().map(|input| input.name.as_str()).collect();
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let given = mapped(&features, &names, mapping, "the dataset").map_err(|error| match error {
        Error::Mapping { feature, column, what, of, features, columns }
            if !names.contains(&column.as_str()) =>
        {
            let what = what + " among its `features` (add it there if a table has it)";
            Error::Mapping { feature, column, what, of, features, columns }
        }
        other => other,
    })?;
    model.columns_given(&names, &given).map_err(|source| match &source {
        inference::Error::MissingFeature { feature, .. } | inference::Error::TakenColumn { feature, .. } => {
            Error::NoColumn {
                feature: feature.clone(),
                columns: listed(names.iter().copied()),
                source: Box::new(source),
            }
        }
        _ => source.into(),
    })
}

fn kind(kind: &inference::Kind) -> Kind {
    match kind {
        inference::Kind::Levels(levels) => {
            let level = |(position, level): (usize, &inference::Level)| Level {
                name: match level {
                    inference::Level::Text(text) => text.clone(),
                    other => other.to_string(),
                },
                rows: 0,
                position: position as u32,
            };
            Kind::Categorical { levels: levels.levels().iter().enumerate().map(level).collect() }
        }
        inference::Kind::Text => Kind::Categorical { levels: Vec::new() },
        _ => Kind::Numerical,
    }
}

impl Imported {
    fn task(&self) -> Task {
        self.model.task().into()
    }

    /// The answer to values in the order of the model; an answer of another width is NaN.
    pub fn answer(&self, values: &[FeatureValue]) -> Result<Answer, Error> {
        let values: Vec<Value> = values.iter().map(|value| of_value(*value)).collect();
        let predictions = self.model.predict(&values)?;
        Ok(self.answers(&predictions).next().unwrap_or(match self.task() {
            Task::Binary => Answer::Probability(f64::NAN),
            Task::Multiclass => Answer::Probabilities(Vec::new()),
            Task::Regression => Answer::Value(f64::NAN),
        }))
    }

    /// What each feature adds to the margins of values in the order of the model.
    pub fn explain(&self, values: &[FeatureValue]) -> Result<inference::Explanations, Error> {
        let values: Vec<Value> = values.iter().map(|value| of_value(*value)).collect();
        Ok(self.model.explain(&values)?)
    }

    /// The same of rows of a table.
    pub fn explain_rows(
        &self,
        schema: &Schema,
        features: &Features,
        rows: &[usize],
    ) -> Result<inference::Explanations, Error> {
        let columns = columns(schema, features)?;
        let cells = rows.iter().flat_map(|&row| {
            let cells = columns.iter().zip(self.model.inputs());
            cells.map(move |(column, input)| of_column(column, row, &input.kind))
        });
        Ok(self.model.explain(&cells.collect::<Vec<_>>())?)
    }

    fn answers<'a>(&self, predictions: &'a inference::Predictions) -> Box<dyn Iterator<Item = Answer> + 'a> {
        let rows = |matrix: &'a Option<inference::Matrix>| matrix.iter().flat_map(inference::Matrix::rows);
        match self.task() {
            Task::Binary => Box::new(rows(&predictions.probability).map(|row| Answer::Probability(row[1]))),
            Task::Multiclass => {
                Box::new(rows(&predictions.probability).map(|row| Answer::Probabilities(row.to_vec())))
            }
            Task::Regression => Box::new(rows(&predictions.value).map(|row| Answer::Value(row[0]))),
        }
    }

    /// The answers to all rows; the columns are those of the schema, by name.
    pub fn predict(&self, schema: &Schema, features: &Features) -> Result<Predictions, Error> {
        let columns = columns(schema, features)?;
        let mut predictions = Predictions {
            answers: Answers::of(self.task(), features.rows()),
            unseen: vec![0; columns.len()],
        };
        let mut values = Vec::with_capacity(BATCH_ROWS.min(features.rows()) * columns.len());
        for start in (0..features.rows()).step_by(BATCH_ROWS) {
            values.clear();
            for row in start..features.rows().min(start + BATCH_ROWS) {
                let cells = columns.iter().zip(self.model.inputs());
                values.extend(cells.map(|(column, input)| of_column(column, row, &input.kind)));
            }
            let batch = self.model.predict(&values)?;
            self.answers(&batch).for_each(|answer| predictions.answers.push(answer));
            predictions.unseen.iter_mut().zip(&batch.unseen).for_each(|(sum, rows)| *sum += rows);
        }
        Ok(predictions)
    }
}

/// The columns of a table that the schema names, in its order.
fn columns<'a>(schema: &Schema, features: &'a Features) -> Result<Vec<&'a FeatureColumn>, Error> {
    let column = |feature: &Feature| {
        features.column(&feature.name).ok_or_else(|| Error::MissingFeature {
            feature: feature.name.clone(),
            expected: feature.kind_name(),
        })
    };
    schema.features.iter().map(column).collect()
}

fn of_value(value: FeatureValue<'_>) -> Value<'_> {
    match value {
        FeatureValue::Missing => Value::Missing,
        FeatureValue::Number(number) => Value::Number(number),
        FeatureValue::Boolean(value) => Value::Boolean(value),
        FeatureValue::Text(text) => Value::Text(text),
    }
}

/// A cell of a column. Truth values come as the levels `false` and `true`, and are numbers where the model takes those.
fn of_column<'a>(column: &'a FeatureColumn, row: usize, kind: &inference::Kind) -> Value<'a> {
    match column {
        FeatureColumn::Numerical(values) => Value::Number(values[row]),
        FeatureColumn::Categorical { codes, .. } if codes[row] == MISSING => Value::Missing,
        FeatureColumn::Categorical { codes, levels } => {
            let level = levels[codes[row] as usize].as_str();
            let takes_texts = matches!(kind, inference::Kind::Text | inference::Kind::Levels(_));
            match level {
                "true" | "false" if !takes_texts => Value::Boolean(level == "true"),
                _ => Value::Text(level),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "tree\nversion=v4\nnum_tree_per_iteration=1\nobjective=binary sigmoid:1\n\
        feature_names=hours plan_tv\nfeature_infos=[0:50] [0:1]\n\nTree=0\nnum_leaves=3\nsplit_feature=0 1\n\
        threshold=30 0.5\ndecision_type=8 8\nleft_child=-1 -2\nright_child=1 -3\nleaf_value=1 -1 -2\n\n\
        end of trees\n";

    fn settings(mapping: &[(&str, &str)]) -> ImportSettings {
        let pair = |(feature, column): &(&str, &str)| ImportedFeature {
            feature: (*feature).to_owned(),
            column: (*column).to_owned(),
        };
        ImportSettings {
            file: "churn.txt".to_owned(),
            task: Task::Binary,
            classes: Vec::new(),
            mapping: mapping.iter().map(pair).collect(),
            threshold: 0.5,
            trained_until: None,
            trained_on: None,
        }
    }

    fn import(columns: &[&str], mapping: &[(&str, &str)]) -> Result<Import, Error> {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        Import::new(FILE.as_bytes().to_vec(), &columns, settings(mapping))
    }

    #[test]
    fn an_imported_model_takes_columns_by_name_and_predicts_as_a_trained_one() {
        let import = import(&["plan tv", "other", "watched"], &[("hours", "watched")]).unwrap();
        let names: Vec<&str> = import.model.schema().features.iter().map(|f| f.name.as_str()).collect();
        assert_eq!((names, import.model.trees()), (vec!["watched", "plan tv"], Some(1)));
        let features = Features::new(vec![
            ("watched".into(), FeatureColumn::Numerical(vec![30.0, 31.0, f64::NAN])),
            (
                "plan tv".into(),
                FeatureColumn::Categorical {
                    codes: vec![0, 1, 0],
                    levels: vec!["false".into(), "true".into()],
                },
            ),
        ]);
        let given = import.model.predict(&features.unwrap()).unwrap();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        // Missing type NaN without a default to the left goes right.
        assert_eq!(given.probabilities(), [sigmoid(1.0), sigmoid(-2.0), sigmoid(-1.0)]);
        let one = import.model.answer(&[FeatureValue::Number(31.0), FeatureValue::Boolean(true)]);
        assert_eq!(one.unwrap(), Answer::Probability(sigmoid(-2.0)));
    }

    #[test]
    fn a_mapping_goes_before_the_column_of_the_same_name() {
        for columns in [["tv", "plan_tv", "hours"], ["hours", "plan_tv", "tv"]] {
            let import = import(&columns, &[("plan_tv", "tv")]).unwrap();
            let taken: Vec<&str> = import.record.features.iter().map(|pair| pair.column.as_str()).collect();
            assert_eq!(taken, ["hours", "tv"], "{columns:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error =
            |columns: &[&str], mapping: &[(&str, &str)]| import(columns, mapping).unwrap_err().to_string();
        assert_eq!(
            error(&["hours"], &[]),
            "feature \"plan_tv\" is missing; the model takes 2 features: hours, plan_tv; a column of the dataset is one that `features` of [dataset] lists (hours): add the column there, or name another one with `streamflow models import --map plan_tv=COLUMN`"
        );
        let taken = error(&["hours", "plan_tv"], &[("hours", "plan_tv")]);
        assert!(taken.starts_with("the column \"plan_tv\" is taken for the feature \"hours\""), "{taken}");
        let start =
            "the mapping hour=hours names a feature that the model does not have; expected FEATURE=COLUMN";
        assert!(error(&["hours", "tv"], &[("hour", "hours")]).starts_with(start));
        let unlisted = error(&["hours"], &[("plan_tv", "tv")]);
        let expected = "names a column that the dataset does not have among its `features` (add it there if";
        assert!(unlisted.contains(expected), "{unlisted}");
        let twice = error(&["tv"], &[("plan_tv", "tv"), ("hours", "tv")]);
        assert!(twice.contains("names a column that the feature plan_tv is taken from"), "{twice}");
        let other = error(&["hours", "plan_tv", "tv"], &[("plan_tv", "tv"), ("plan_tv", "hours")]);
        assert!(other.contains("names a feature that another mapping names too"), "{other}");
        let regression = FILE.replace("binary sigmoid:1", "regression").into_bytes();
        let error = Import::new(regression, &["hours".into(), "plan_tv".into()], settings(&[])).unwrap_err();
        assert!(error.to_string().starts_with("the model is a regression, and the label is for"), "{error}");
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let import = import(&["hours", "plan_tv"], &[]).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("1");
        import.save(&directory).unwrap();
        assert_eq!(
            crate::Stored::load(&directory).unwrap(),
            crate::Stored::Imported(Box::new(import.clone()))
        );
        assert_eq!(Model::load(&directory).unwrap(), import.model);
        assert!(crate::Trained::load(&directory).unwrap_err().to_string().contains("SHA256SUMS is damaged"));
        std::fs::write(directory.join("model.file"), "tree\n").unwrap();
        let error = Model::load(&directory).unwrap_err().to_string();
        assert!(error.contains("model.file is damaged: its SHA-256"), "{error}");
    }
}
