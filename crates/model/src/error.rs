//! What can go wrong, with what was given and what was expected.

use std::path::{Path, PathBuf};

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to train on.
    #[error("no rows were given; expected one row per entity")]
    NoRows,
    /// There is nothing to learn from.
    #[error("no features were given; expected at least one")]
    NoFeatures,
    /// Columns, labels and entities must be aligned.
    #[error("{what} has {given} rows, but {expected} were expected")]
    RowCount {
        /// The misaligned input.
        what: String,
        /// Rows of the first column.
        expected: usize,
        /// Rows of this input.
        given: usize,
    },
    /// A name must select one column.
    #[error("feature {feature:?} was given twice; names must be unique")]
    DuplicateFeature {
        /// The repeated name.
        feature: String,
    },
    /// What its features add to an answer is not known.
    #[error("the model cannot be explained: {0}")]
    Unexplained(String),
    /// A code of a categorical column names no level.
    #[error(
        "feature {feature:?} has code {code} at row {row}, but only {levels} levels (use MISSING for no value)"
    )]
    UnknownCode {
        /// The column.
        feature: String,
        /// Row, counted from 0.
        row: usize,
        /// The offending code.
        code: u32,
        /// Number of levels.
        levels: usize,
    },
    /// Supervised learning needs labels.
    #[error("all {rows} labels are missing; expected {expected} for at least some rows")]
    NoLabels {
        /// Rows given.
        rows: usize,
        /// What a label is.
        expected: &'static str,
    },
    /// A classifier needs both classes.
    #[error(
        "the {part} part has one class only: {positives} positive and {negatives} negative labels; both are needed"
    )]
    OneClass {
        /// "training" or "validation".
        part: &'static str,
        /// Rows labelled true.
        positives: usize,
        /// Rows labelled false.
        negatives: usize,
    },
    /// A classifier of several classes needs at least two.
    #[error(
        "all {rows} labelled rows of the {part} part are of the class {class:?}; rows of at least two classes are needed"
    )]
    OneOfClasses {
        /// "training" or "validation".
        part: &'static str,
        /// The class.
        class: String,
        /// Labelled rows in the part.
        rows: usize,
    },
    /// So many classes are no classes.
    #[error(
        "the label has {classes} classes, and at most {most} are learned; join the rare ones, or if they are amounts set dataset.label.task = \"regression\""
    )]
    TooManyClasses {
        /// The classes found.
        classes: usize,
        /// The most that are learned.
        most: usize,
    },
    /// A regression needs numbers that vary.
    #[error("all {rows} labels of the {part} part are {value}; a regression learns from numbers that differ")]
    OneNumber {
        /// "training" or "validation".
        part: &'static str,
        /// The number.
        value: f64,
        /// Labelled rows in the part.
        rows: usize,
    },
    /// A number whose square is none.
    #[error("the label of row {row} is {value}; expected a finite number of at most {most:e} in size")]
    LabelTooLarge {
        /// Row, counted from 0.
        row: usize,
        /// The label.
        value: f64,
        /// The largest size.
        most: f64,
    },
    /// The metrics of what was trained cannot be measured.
    #[error(transparent)]
    Performance(#[from] streamflow_performance::Error),
    /// A part is too small to mean anything.
    #[error("the {part} part has {rows} labelled rows, but at least {minimum} are needed")]
    TooFewRows {
        /// "training" or "validation".
        part: &'static str,
        /// Labelled rows in the part.
        rows: usize,
        /// The least that is accepted.
        minimum: usize,
    },
    /// No feature separates any two training rows.
    #[error(
        "all {features} features are constant or missing in the {rows} training rows; nothing can be learned"
    )]
    NoVariation {
        /// Number of features.
        features: usize,
        /// Number of training rows.
        rows: usize,
    },
    /// A setting is outside its range.
    #[error("setting {name} is {value}, but {expected} was expected")]
    InvalidSetting {
        /// The setting.
        name: &'static str,
        /// The value of the setting.
        value: String,
        /// The accepted range.
        expected: &'static str,
    },
    /// Trees came out that cannot be walked.
    #[error("boosting failed: {0}")]
    Boosting(String),
    /// A setting that the task has no use for.
    #[error("{setting} is set, and is not for {}; leave it out, or change dataset.label.task", .task.words())]
    NotForTask {
        /// The setting.
        setting: &'static str,
        /// What is predicted.
        task: crate::Task,
    },
    /// Isotonic calibration of several classes.
    #[error(
        "calibration is \"isotonic\", and is not for {}: a curve for each class would bend it without regard for the \
         others, and dividing by the sum would bend it again; expected \"sigmoid\", which corrects them together, or \"none\"",
        crate::Task::Multiclass.words()
    )]
    IsotonicOfClasses,
    /// A class weight of a class that no training row has.
    #[error("class_weight names the class {class:?}; expected one of those of the training rows: {classes}")]
    UnknownClass {
        /// The class.
        class: String,
        /// Those that there are.
        classes: String,
    },
    /// A monotone constraint on something that has no order.
    #[error("monotone names {feature:?}, which {reason}; expected numerical features: {expected}")]
    NotMonotone {
        /// The feature.
        feature: String,
        /// Why it cannot be.
        reason: &'static str,
        /// Those that may be named.
        expected: String,
    },
    /// A validation by time without rows that are held out, or the other way round.
    #[error("validation is \"time\", which needs {expected}")]
    NoNewest {
        /// What is missing.
        expected: &'static str,
    },
    /// The model needs a feature that was not given.
    #[error(
        "feature {feature:?} is not among the given columns; the model was trained with it as {expected}"
    )]
    MissingFeature {
        /// The feature.
        feature: String,
        /// The kind of the feature in training.
        expected: &'static str,
    },
    /// A value or column is of another kind than in training.
    #[error("feature {feature:?} is {given}, but the model was trained with it as {expected}")]
    KindMismatch {
        /// The feature.
        feature: String,
        /// The kind of the feature in training.
        expected: &'static str,
        /// The kind that was given.
        given: &'static str,
    },
    /// A row has another number of values than the model has features.
    #[error("{given} feature values were given, but the model has {expected} features")]
    FeatureCount {
        /// Features of the model.
        expected: usize,
        /// Values given.
        given: usize,
    },
    /// A saved model is never overwritten.
    #[error("{path} already exists; a saved model is never overwritten, choose another directory")]
    AlreadyExists {
        /// The directory.
        path: PathBuf,
    },
    /// The model has no ONNX form.
    #[error("the model cannot be written as ONNX: {reason}")]
    Export {
        /// What keeps it from it, with the remedy.
        reason: String,
    },
    /// The model was imported, and this is known of trained ones alone.
    #[error("this model was imported, not trained here; expected one of `streamflow train`")]
    NotTrainedHere,
    /// An imported model predicts something else than the label is.
    #[error(
        "the model is {given}, and the label is for {expected} (dataset.label.task = \"{}\"); import a model of that task or change the task; `streamflow predict --model FILE` and `streamflow serve --model FILE` take the model as it is", .task.name()
    )]
    OtherTask {
        /// What the model predicts, in words.
        given: &'static str,
        /// What the label is for, in words.
        expected: &'static str,
        /// The task of the label.
        task: crate::Task,
    },
    /// The classes of an imported model are not those of the label.
    #[error(
        "the model has the classes {given}, and the label {label}; name the classes of the label in the model's order as dataset.label.classes, or import a model that was trained on these classes"
    )]
    OtherClasses {
        /// The classes of the model.
        given: String,
        /// The classes of the label.
        label: String,
    },
    /// A name of a mapping is not one.
    #[error(
        "the mapping {feature}={column} names {what}; expected FEATURE=COLUMN, each feature of the model ({features}) and each column of {of} ({columns}) at most once"
    )]
    Mapping {
        /// The feature of the model.
        feature: String,
        /// The column of the dataset.
        column: String,
        /// Which of the two is wrong.
        what: String,
        /// What the columns are of: `the dataset`, or a table.
        of: &'static str,
        /// The features of the model.
        features: Box<str>,
        /// The columns.
        columns: Box<str>,
    },
    /// No column of the dataset is that of a feature.
    #[error(
        "{source}; a column of the dataset is one that `features` of [dataset] lists ({columns}): add the column there, or name another one with `streamflow models import --map {feature}=COLUMN`"
    )]
    NoColumn {
        /// The feature.
        feature: String,
        /// The columns of the dataset.
        columns: String,
        /// Why there is none.
        source: Box<streamflow_inference::Error>,
    },
    /// An imported model cannot be read, or does not take a value.
    #[error(transparent)]
    Inference(#[from] streamflow_inference::Error),
    /// The file system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file of a saved model is not what was saved.
    #[error("{path} is damaged: {reason}; restore the model directory from a copy or train again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model saved by a later version.
    #[error(
        "{path} has format version {found}, but this program reads version {supported}; use the program that saved it or train again"
    )]
    UnsupportedVersion {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: u32,
        /// The version this crate reads.
        supported: u32,
    },
}

impl Error {
    /// An adapter for `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// A damaged file and the reason.
    pub(crate) fn damaged(path: &Path, reason: impl std::fmt::Display) -> Error {
        Error::Damaged { path: path.to_path_buf(), reason: reason.to_string() }
    }
}
