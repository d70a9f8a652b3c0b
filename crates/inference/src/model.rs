//! A model read from its file: its features, its kind of answer, and the answers.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::additive::{Sum, Symmetric};
use crate::columns::columns;
use crate::explain::Explainer;
use crate::input::Encoded;
use crate::link::{Objective, Role, Width};
use crate::onnx::Graph;
use crate::{
    Error, Format, Input, Labels, Matrix, Predictions, Value, catboost, format, lightgbm, onnx, xgboost,
};

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Numbers: a regression, a ranking, a count, a time.
    Regression,
    /// The probability of the second of two classes.
    Binary,
    /// A probability for each class.
    Multiclass,
}

impl Task {
    /// The word that it is written as.
    pub fn name(self) -> &'static str {
        match self {
            Task::Regression => "regression",
            Task::Binary => "binary",
            Task::Multiclass => "multiclass",
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// All trees of a model that was stopped early, as XGBoost's `Booster.predict` uses them, and not those up to the
    /// best iteration, as its classes for scikit-learn do.
    pub all_trees: bool,
}

/// A model that was trained elsewhere.
#[derive(Debug)]
pub struct Model {
    pub(crate) format: Format,
    /// The objective or the operator that says what the model is.
    pub(crate) objective: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) has_names: bool,
    pub(crate) classes: Option<Labels>,
    pub(crate) engine: Engine,
    /// Made when a row is explained for the first time.
    pub(crate) explainer: OnceLock<Result<Explainer, String>>,
}

/// What computes the answers.
#[derive(Debug)]
pub(crate) enum Engine {
    Sum(Sum, Objective),
    Symmetric(Symmetric, Objective),
    Graph(Box<Graph>),
}

impl Model {
    /// Reads a model file; its format is told by its content.
    ///
    /// Memory is bounded by a multiple of the file's length, and no file makes it panic.
    ///
    /// # Errors
    /// [`Error::NotAModel`] for other files, [`Error::Malformed`] for damaged ones, and [`Error::Unsupported`] for
    /// what cannot be evaluated exactly.
    pub fn read(bytes: &[u8]) -> Result<Model, Error> {
        Model::read_with(bytes, ReadOptions::default())
    }

    /// As [`Model::read`], with options.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn read_with(bytes: &[u8], options: ReadOptions) -> Result<Model, Error> {
        let format = format::detect(bytes)?;
        let model = match format {
            Format::XgboostJson | Format::XgboostUbj => xgboost::read(bytes, format, options)?,
            Format::LightgbmText => lightgbm::read(bytes)?,
            Format::CatboostJson => catboost::read(bytes)?,
            Format::Onnx => onnx::read(bytes)?,
        };
        if model.inputs.is_empty() {
            return Err(Error::malformed(format, "it has no features"));
        }
        Ok(model)
    }

    /// The format of its file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The library's name of the objective; of an ONNX graph, its operators.
    pub fn objective(&self) -> &str {
        &self.objective
    }

    /// The features, in the order in which rows have them.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Whether the file names its features; otherwise columns are matched by position.
    pub fn has_names(&self) -> bool {
        self.has_names
    }

    /// The column of each feature among columns of these names.
    ///
    /// Names are compared exactly; LightGBM's files have `_` for a blank. Where the file has no names, the columns are
    /// taken as they come, and there must be as many as features.
    ///
    /// # Errors
    /// [`Error::MissingFeature`], [`Error::TwiceNamed`] and [`Error::ColumnCount`].
    pub fn columns(&self, names: &[&str]) -> Result<Vec<usize>, Error> {
        self.columns_given(names, &[])
    }

    /// The same where somebody names the columns of some features: `given` has one for each feature, or is empty. Once one
    /// is given, the others are found by name, also where the file has no names.
    ///
    /// # Errors
    /// As [`Model::columns`], and [`Error::TakenColumn`].
    pub fn columns_given(&self, names: &[&str], given: &[Option<usize>]) -> Result<Vec<usize>, Error> {
        let features: Vec<&str> = self.inputs.iter().map(|input| input.name.as_str()).collect();
        let is_named = || {
            let names: HashSet<&str> = names.iter().copied().collect();
            given.iter().any(Option::is_some) || features.iter().all(|feature| names.contains(feature))
        };
        if self.has_names || is_named() {
            return columns(&features, names, given, self.format == Format::LightgbmText);
        }
        match (self.inputs.len(), names.len()) {
            (expected, given) if expected == given => Ok((0..given).collect()),
            (expected, given) => Err(Error::ColumnCount { expected, given }),
        }
    }

    /// Number of trees, where it is made of trees alone.
    pub fn trees(&self) -> Option<usize> {
        match &self.engine {
            Engine::Sum(sum, _) => Some(sum.forest.trees()),
            Engine::Symmetric(symmetric, _) => Some(symmetric.trees.len()),
            Engine::Graph(_) => None,
        }
    }

    /// The classes, in the order of the probabilities' columns; ONNX files do not always have them.
    pub fn classes(&self) -> Option<&Labels> {
        self.classes.as_ref()
    }

    /// What it predicts.
    pub fn task(&self) -> Task {
        match &self.engine {
            Engine::Sum(_, objective) | Engine::Symmetric(_, objective) => match objective.role {
                Role::Binary => Task::Binary,
                Role::Multiclass => Task::Multiclass,
                Role::Value => Task::Regression,
            },
            Engine::Graph(graph) => graph.task(),
        }
    }

    /// Answers to rows, whose values lie one row after another in the order of [`Model::inputs`].
    ///
    /// A level that training did not have is taken as missing and counted in [`Predictions::unseen`].
    ///
    /// # Errors
    /// [`Error::Value`] for a value of another type, [`Error::Operator`] where a graph cannot be computed.
    ///
    /// # Panics
    /// Where the number of values is no multiple of the number of features.
    pub fn predict(&self, values: &[Value]) -> Result<Predictions, Error> {
        assert_eq!(values.len() % self.inputs.len(), 0, "rows are as wide as the model");
        match &self.engine {
            Engine::Graph(graph) => graph.predict(&self.inputs, values),
            Engine::Sum(sum, objective) => {
                let (rows, unseen) = self.encode(values, sum.width, self.refuses_infinity())?;
                Ok(self.answer(sum.margins(&rows, self.inputs.len()), objective, unseen))
            }
            Engine::Symmetric(symmetric, objective) => {
                // CatBoost compares in 32 bits and adds up in 64.
                let (rows, unseen) = self.encode(values, Width::Single, false)?;
                Ok(self.answer(symmetric.margins(&rows, self.inputs.len()), objective, unseen))
            }
        }
    }

    pub(crate) fn refuses_infinity(&self) -> bool {
        self.format.library() == "XGBoost"
    }

    fn answer(&self, margin: Matrix, objective: &Objective, unseen: Vec<u64>) -> Predictions {
        let answers = objective.answers(&margin);
        let label = self.classes.as_ref().and_then(|classes| answers.labels(classes));
        Predictions {
            margin: Some(margin),
            probability: answers.probability,
            value: answers.value,
            label,
            unseen,
        }
    }

    /// Rows as numbers of the library's width, and the rows of each feature with an unseen level.
    pub(crate) fn encode(
        &self,
        values: &[Value],
        width: Width,
        finite: bool,
    ) -> Result<(Vec<f64>, Vec<u64>), Error> {
        let mut unseen = vec![0; self.inputs.len()];
        let mut rows = Vec::with_capacity(values.len());
        for row in values.chunks_exact(self.inputs.len()) {
            for ((input, &value), unseen) in self.inputs.iter().zip(row).zip(&mut unseen) {
                let number = match input.encode(value)? {
                    // A 64-bit integer is rounded once.
                    Encoded::Number(number) => match (value, width) {
                        (Value::Integer(integer), Width::Single) if number == integer as f64 => {
                            f64::from(integer as f32)
                        }
                        _ => width.round(number),
                    },
                    Encoded::Unseen => {
                        *unseen += 1;
                        f64::NAN
                    }
                };
                if finite && number.is_infinite() {
                    let given = format!("{value}, which XGBoost takes for infinite");
                    let expected = "a finite number or none".to_owned();
                    return Err(Error::Value { feature: input.name.clone(), given, expected });
                }
                rows.push(number);
            }
        }
        Ok((rows, unseen))
    }
}
