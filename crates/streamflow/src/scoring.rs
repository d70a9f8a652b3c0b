//! Rows of a table, scored with a model file or a version of the registry.

use anyhow::anyhow;
use streamflow_dataset::{Batch, Cell, OutputColumn, Position};
use streamflow_inference::{self as inference, Kind, Labels, Matrix, Value};
use streamflow_model::{Answer, FeatureValue, ImportedFeature, Model, Task, largest, mapped};

/// What scores.
pub enum Scorer {
    /// A model file, with all that it answers.
    File(Box<inference::Model>),
    /// A version of the registry: what its task says.
    Version(Box<Model>),
}

/// Answers to the rows of a batch; a model gives those that apply to it.
#[derive(Debug, Default, PartialEq)]
pub struct Answers {
    pub probability: Option<Numbers>,
    pub value: Option<Numbers>,
    pub margin: Option<Numbers>,
    pub label: Option<Labels>,
    /// For each feature, the rows with a level that training did not have.
    pub unseen: Vec<u64>,
}

impl Answers {
    /// Columns of a table: `probability` of the second of two classes, else one for each class.
    pub fn into_columns(self, classes: Option<&Labels>) -> Vec<(String, OutputColumn)> {
        let mut columns = Vec::new();
        let mut add = |name: String, values: Vec<f64>, is_single: bool| {
            let column = if is_single {
                OutputColumn::Single(values.into_iter().map(|value| value as f32).collect())
            } else {
                OutputColumn::Double(values)
            };
            columns.push((name, column));
        };
        if let Some(Numbers { columns: mut of_classes, is_single }) = self.probability {
            if of_classes.len() == 2 {
                add("probability".to_owned(), of_classes.swap_remove(1), is_single);
            } else {
                for (class, values) in of_classes.into_iter().enumerate() {
                    let name =
                        classes.and_then(|classes| classes.text(class)).unwrap_or_else(|| class.to_string());
                    add(format!("probability_{name}"), values, is_single);
                }
            }
        }
        for (name, numbers) in [("value", self.value), ("margin", self.margin)] {
            let Some(Numbers { columns: outputs, is_single }) = numbers else { continue };
            let is_one = outputs.len() == 1;
            for (output, values) in outputs.into_iter().enumerate() {
                add(if is_one { name.to_owned() } else { format!("{name}_{output}") }, values, is_single);
            }
        }
        match self.label {
            Some(Labels::Integers(labels)) => {
                columns.push(("label".to_owned(), OutputColumn::Integer(labels)))
            }
            Some(Labels::Texts(labels)) => {
                columns
                    .push(("label".to_owned(), OutputColumn::Text(labels.into_iter().map(Some).collect())));
            }
            None => {}
        }
        columns
    }
}

/// Columns of numbers.
#[derive(Debug, PartialEq)]
pub struct Numbers {
    pub columns: Vec<Vec<f64>>,
    /// Whether the library's numbers have 32 bits.
    pub is_single: bool,
}

impl Scorer {
    /// The names of the features.
    pub fn features(&self) -> Vec<String> {
        match self {
            Scorer::File(model) => model.inputs().iter().map(|input| input.name.clone()).collect(),
            Scorer::Version(model) => {
                model.schema().features.iter().map(|feature| feature.name.clone()).collect()
            }
        }
    }

    /// The names of the classes, in the order of the probabilities, where they are known.
    pub fn classes(&self) -> Option<Labels> {
        match self {
            Scorer::File(model) => model.classes().cloned(),
            Scorer::Version(model) => classes(model),
        }
    }

    /// The place of each feature's column in a header. A column that `mapping` names for a feature comes before the one of
    /// the feature's name.
    ///
    /// # Errors
    /// A feature without a column, a column of two features, a name of two columns, and what the mapping names beside what
    /// there is.
    pub fn columns(&self, header: &[String], mapping: &[ImportedFeature]) -> anyhow::Result<Vec<usize>> {
        use inference::Error::{ColumnCount, MissingFeature, TakenColumn};
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
        let features = self.features();
        let features: Vec<&str> = features.iter().map(String::as_str).collect();
        let given = mapped(&features, &names, mapping, "the table")?;
        let columns = match self {
            Scorer::File(model) => model.columns_given(&names, &given),
            Scorer::Version(_) => inference::columns(&features, &names, &given, false),
        };
        columns.map_err(|error| match &error {
            MissingFeature { feature, .. } | TakenColumn { feature, .. } => {
                anyhow!(
                    "{error}; the table has {}: name one with --map '{feature}=COLUMN'",
                    header.join(", ")
                )
            }
            ColumnCount { .. } => {
                anyhow!("{error}; name the columns with --map, such as --map '{}=COLUMN'", features[0])
            }
            _ => error.into(),
        })
    }

    /// Scores the first columns of a batch, which are the features in their order.
    ///
    /// # Errors
    /// A value that the model does not take, with its place in the file.
    pub fn score(&self, batch: &Batch) -> anyhow::Result<Answers> {
        match self {
            Scorer::File(model) => of_file(model, batch),
            Scorer::Version(model) => of_version(model, batch),
        }
    }
}

/// The names of the classes of a version; none where its label is a number.
pub fn classes(model: &Model) -> Option<Labels> {
    match model.task() {
        Task::Binary => Some(Labels::Integers(vec![0, 1])),
        Task::Multiclass => Some(Labels::Texts(model.classes().to_vec())),
        Task::Regression => None,
    }
}

fn of_file(model: &inference::Model, batch: &Batch) -> anyhow::Result<Answers> {
    let rows = Rows { number: batch.rows(), is_text: is_text(batch) };
    rows.of_file(model, |row, column| batch.cell(column, row)).map_err(|refused| at(batch, refused))
}

fn of_version(model: &Model, batch: &Batch) -> anyhow::Result<Answers> {
    let rows = Rows { number: batch.rows(), is_text: is_text(batch) };
    rows.of_version(model, |row, column| batch.cell(column, row)).map_err(|refused| at(batch, refused))
}

/// An error with its place in the file.
fn at(batch: &Batch, Refused { row, error }: Refused) -> anyhow::Error {
    match row {
        Some(row) => error.context(batch.position(row).to_string()),
        None => error,
    }
}

/// Whether the values are texts because the file is one.
fn is_text(batch: &Batch) -> bool {
    batch.rows() > 0 && matches!(batch.position(0), Position::Line(_))
}

/// What a model does not take.
#[derive(Debug)]
pub struct Refused {
    /// The row that it is about, where it is one.
    pub row: Option<usize>,
    pub error: anyhow::Error,
}

impl Refused {
    fn new<E: std::error::Error + Send + Sync + 'static>(row: Option<usize>, error: E) -> Self {
        Self { row, error: error.into() }
    }
}

/// Takes the features of a row, in the order of the model, and its answer.
pub type Show<'a> = &'a mut dyn FnMut(&[FeatureValue<'_>], &Answer);

/// Rows whose values are in memory.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    pub number: usize,
    /// Whether a text stands for the number that it spells where the model takes numbers.
    pub is_text: bool,
}

impl Rows {
    /// Answers of a model file; `cell` gives a value by its row and the place of its feature.
    ///
    /// # Errors
    /// The row with a value that the model does not take, where it is one, and the reason.
    pub fn of_file<'a>(
        self,
        model: &inference::Model,
        cell: impl Fn(usize, usize) -> Cell<'a>,
    ) -> Result<Answers, Refused> {
        let width = model.inputs().len();
        let mut values = Vec::with_capacity(width * self.number);
        for row in 0..self.number {
            let inputs = model.inputs().iter().enumerate();
            values.extend(inputs.map(|(column, input)| value(cell(row, column), &input.kind, self.is_text)));
        }
        let predictions = model.predict(&values).map_err(|error| {
            // One row of them cannot be scored: which one?
            let of_row = |row: usize| {
                let error = model.predict(&values[row * width..][..width]).err()?;
                Some(Refused::new(Some(row), error))
            };
            (0..self.number).find_map(of_row).unwrap_or_else(|| Refused::new(None, error))
        })?;
        Ok(Answers {
            probability: predictions.probability.as_ref().map(numbers),
            value: predictions.value.as_ref().map(numbers),
            margin: predictions.margin.as_ref().map(numbers),
            label: predictions.label,
            unseen: predictions.unseen,
        })
    }

    /// Answers of a version of the registry.
    ///
    /// # Errors
    /// As [`Rows::of_file`].
    pub fn of_version<'a>(
        self,
        model: &Model,
        cell: impl Fn(usize, usize) -> Cell<'a>,
    ) -> Result<Answers, Refused> {
        self.of_version_shown(model, cell, None)
    }

    /// The same; once all rows are answered, each is shown with its features in the order of the model.
    ///
    /// # Errors
    /// As [`Rows::of_file`]; then no row is shown.
    pub fn of_version_shown<'a>(
        self,
        model: &Model,
        cell: impl Fn(usize, usize) -> Cell<'a>,
        show: Option<Show<'_>>,
    ) -> Result<Answers, Refused> {
        let features = &model.schema().features;
        let mut values = Vec::with_capacity(features.len());
        let read = |row: usize, values: &mut Vec<_>| {
            values.clear();
            for (column, feature) in features.iter().enumerate() {
                values.push(feature_value(cell(row, column), &feature.kind, self.is_text));
            }
        };
        let mut found = Vec::with_capacity(self.number);
        for row in 0..self.number {
            read(row, &mut values);
            found.push(model.answer(&values).map_err(|error| Refused::new(Some(row), error))?);
        }
        if let Some(show) = show {
            for (row, answer) in found.iter().enumerate() {
                read(row, &mut values);
                show(&values, answer);
            }
        }
        Ok(Answers { unseen: vec![0; features.len()], ..answers(model, found) })
    }
}

fn numbers(matrix: &Matrix) -> Numbers {
    let mut columns = vec![Vec::with_capacity(matrix.rows().len()); matrix.columns()];
    for row in matrix.rows() {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
    }
    Numbers { columns, is_single: matrix.is_single() }
}

/// Answers of one task, by columns.
fn answers(model: &Model, rows: Vec<Answer>) -> Answers {
    let (mut columns, mut value) =
        (vec![Vec::with_capacity(rows.len()); model.classes().len().max(2)], Vec::new());
    let mut label = match model.task() {
        Task::Multiclass => Labels::Texts(Vec::new()),
        Task::Binary | Task::Regression => Labels::Integers(Vec::new()),
    };
    for answer in rows {
        match (answer, &mut label) {
            (Answer::Probability(probability), Labels::Integers(label)) => {
                columns[0].push(1.0 - probability);
                columns[1].push(probability);
                label.push(i64::from(probability >= model.threshold()));
            }
            (Answer::Probabilities(row), Labels::Texts(label)) => {
                label.push(model.classes().get(largest(&row)).cloned().unwrap_or_default());
                columns.iter_mut().zip(row).for_each(|(column, probability)| column.push(probability));
            }
            (Answer::Value(number), _) => value.push(number),
            _ => {}
        }
    }
    let numbers = |columns: Vec<Vec<f64>>| Some(Numbers { columns, is_single: false });
    match model.task() {
        Task::Regression => Answers { value: numbers(vec![value]), ..Answers::default() },
        Task::Binary | Task::Multiclass => {
            Answers { probability: numbers(columns), label: Some(label), ..Answers::default() }
        }
    }
}

/// A cell as a value of a model file.
fn value<'a>(cell: Cell<'a>, kind: &Kind, is_text: bool) -> Value<'a> {
    match cell {
        Cell::Missing => Value::Missing,
        Cell::Boolean(value) => Value::Boolean(value),
        Cell::Integer(number) => Value::Integer(number),
        Cell::Float(number) => Value::Number(number),
        Cell::Text(text) if is_text && !matches!(kind, Kind::Text | Kind::Levels(_)) => spelled(text),
        Cell::Text(text) => Value::Text(text),
        Cell::Date(days) => Value::Integer(i64::from(days)),
    }
}

/// The number or truth value that a text spells; else the text, which is refused by name.
fn spelled(text: &str) -> Value<'_> {
    let trimmed = text.trim();
    match trimmed {
        "" => Value::Missing,
        "True" | "true" | "TRUE" => Value::Boolean(true),
        "False" | "false" | "FALSE" => Value::Boolean(false),
        _ => match (trimmed.parse::<i64>(), trimmed.parse::<f64>()) {
            (Ok(number), _) => Value::Integer(number),
            (_, Ok(number)) => Value::Number(number),
            _ => Value::Text(text),
        },
    }
}

/// A cell as a value of a version's feature.
fn feature_value<'a>(cell: Cell<'a>, kind: &streamflow_model::Kind, is_text: bool) -> FeatureValue<'a> {
    use streamflow_model::Kind::{Categorical, Numerical};
    match (cell, kind) {
        (Cell::Missing, _) => FeatureValue::Missing,
        (Cell::Boolean(value), _) => FeatureValue::Boolean(value),
        (Cell::Integer(number), _) => FeatureValue::Number(number as f64),
        (Cell::Float(number), _) => FeatureValue::Number(number),
        (Cell::Date(days), _) => FeatureValue::Number(f64::from(days)),
        (Cell::Text(text), Categorical { levels }) => {
            let is_truth = || levels.iter().all(|level| matches!(level.name.as_str(), "true" | "false"));
            match text {
                "True" | "TRUE" | "1" if is_truth() => FeatureValue::Boolean(true),
                "False" | "FALSE" | "0" if is_truth() => FeatureValue::Boolean(false),
                _ => FeatureValue::Text(text),
            }
        }
        (Cell::Text(text), Numerical) if is_text => match spelled(text) {
            Value::Missing => FeatureValue::Missing,
            Value::Integer(number) => FeatureValue::Number(number as f64),
            Value::Number(number) => FeatureValue::Number(number),
            Value::Boolean(value) => FeatureValue::Boolean(value),
            Value::Text(text) => FeatureValue::Text(text),
        },
        (Cell::Text(text), Numerical) => FeatureValue::Text(text),
    }
}
