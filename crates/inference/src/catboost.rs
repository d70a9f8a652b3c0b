//! CatBoost's JSON: symmetric trees over numbers.
//!
//! Inputs are rounded to 32 bits and compared with `>`, leaves are added up in 64 bits.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::additive::{Border, Symmetric, SymmetricTree};
use crate::link::{Link, Objective, Role};
use crate::model::Engine;
use crate::{Error, Format, Input, Kind, Labels, Model};

const FORMAT: Format = Format::CatboostJson;

/// Most levels of a symmetric tree, which has two to the power of them leaves; CatBoost itself allows 16.
const MAX_DEPTH: usize = 16;

/// Most features by the number of the last.
const MAX_FEATURES: usize = 1 << 20;

#[derive(Deserialize)]
struct File {
    features_info: Features,
    model_info: Info,
    oblivious_trees: Option<Vec<Tree>>,
    #[serde(default)]
    scale_and_bias: Option<(f64, Bias)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bias {
    Many(Vec<f64>),
    One(f64),
}

#[derive(Deserialize)]
struct Features {
    #[serde(default)]
    float_features: Vec<FloatFeature>,
    #[serde(default)]
    categorical_features: Vec<IgnoredAny>,
    #[serde(default)]
    text_features: Vec<IgnoredAny>,
    #[serde(default)]
    embedding_features: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct FloatFeature {
    #[serde(default)]
    feature_id: String,
    feature_index: u32,
    flat_feature_index: u32,
    nan_value_treatment: String,
}

#[derive(Deserialize)]
struct Info {
    params: Params,
    class_params: Option<ClassParams>,
}

#[derive(Deserialize)]
struct Params {
    loss_function: Loss,
}

#[derive(Deserialize)]
struct Loss {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct ClassParams {
    #[serde(default)]
    class_names: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Tree {
    splits: Option<Vec<Split>>,
    leaf_values: Vec<f64>,
    #[serde(default)]
    leaf_weights: Vec<f64>,
}

#[derive(Deserialize)]
struct Split {
    split_type: String,
    border: Option<f32>,
    float_feature_index: Option<u32>,
}

fn malformed(reason: impl ToString) -> Error {
    Error::malformed(FORMAT, reason)
}

fn unsupported(what: impl Into<String>, remedy: &str) -> Error {
    Error::unsupported(FORMAT, what, remedy)
}

pub(crate) fn read(bytes: &[u8]) -> Result<Model, Error> {
    let file: File = serde_json::from_slice(bytes).map_err(malformed)?;
    let trees = file.oblivious_trees.ok_or_else(|| {
        unsupported("trees that are not symmetric", "train with grow_policy=\"SymmetricTree\"")
    })?;
    if let Some(kind) = trees
        .iter()
        .flat_map(|tree| tree.splits.iter().flatten())
        .map(|split| split.split_type.as_str())
        .find(|kind| *kind != "FloatFeature")
    {
        let remedy = "what it compares with is a hash or a statistic of the text; train on numbers";
        return Err(unsupported(format!("{kind} splits"), remedy));
    }
    let features = &file.features_info;
    for (what, list) in [
        ("categorical", &features.categorical_features),
        ("text", &features.text_features),
        ("embedding", &features.embedding_features),
    ] {
        if !list.is_empty() {
            return Err(unsupported(format!("{what} features"), "train on numbers"));
        }
    }
    let (scale, bias) = match file.scale_and_bias {
        Some((scale, Bias::Many(bias))) if !bias.is_empty() => (scale, bias),
        Some((scale, Bias::One(bias))) => (scale, vec![bias]),
        Some(_) => return Err(malformed("its scale_and_bias is empty")),
        None => (1.0, vec![0.0]),
    };
    let objective = objective(&file.model_info.params.loss_function.kind, bias.len())?;
    let classes = classes(&file.model_info, &objective, bias.len())?;
    let symmetric = symmetric(&trees, &features.float_features, scale, bias)?;
    let named = features.float_features.iter().all(|feature| !feature.feature_id.is_empty());
    Ok(Model {
        format: FORMAT,
        objective: file.model_info.params.loss_function.kind,
        inputs: inputs(&features.float_features)?,
        has_names: named,
        classes,
        engine: Engine::Symmetric(symmetric, objective),
        explainer: OnceLock::new(),
    })
}

fn objective(loss: &str, outputs: usize) -> Result<Objective, Error> {
    let (role, link) = match (loss, outputs) {
        ("Logloss" | "CrossEntropy", 1) => (Role::Binary, Link::Sigmoid(1.0)),
        ("MultiClass", 2..) => (Role::Multiclass, Link::Softmax),
        ("MultiClassOneVsAll", 2..) => (Role::Multiclass, Link::Sigmoid(1.0)),
        ("Poisson" | "Tweedie", 1) => (Role::Value, Link::Exp),
        ("RMSE" | "MAE" | "Quantile" | "MAPE" | "Lq" | "Huber" | "Expectile", 1) => {
            (Role::Value, Link::Identity)
        }
        ("MultiRMSE" | "MultiQuantile", _) => (Role::Value, Link::Identity),
        ("YetiRank" | "PairLogit" | "QueryRMSE" | "QuerySoftMax" | "StochasticRank", 1) => {
            (Role::Value, Link::Identity)
        }
        _ => {
            let what = format!("the loss function {loss:?} and {outputs} outputs");
            return Err(unsupported(what, "expected one whose link is known"));
        }
    };
    Ok(Objective { role, link, divisor: 1.0 })
}

fn classes(info: &Info, objective: &Objective, outputs: usize) -> Result<Option<Labels>, Error> {
    let expected = match objective.role {
        Role::Value => return Ok(None),
        Role::Binary => 2,
        Role::Multiclass => outputs,
    };
    let names = info.class_params.as_ref().map_or(&[][..], |params| &params.class_names);
    if names.is_empty() {
        return Ok(Some(Labels::count(expected)));
    }
    if names.len() != expected {
        return Err(malformed(format!("it has {} names for {expected} classes", names.len())));
    }
    let integers: Option<Vec<i64>> = names.iter().map(serde_json::Value::as_i64).collect();
    Ok(Some(match integers {
        Some(integers) => Labels::Integers(integers),
        None => Labels::Texts(
            names.iter().map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).collect(),
        ),
    }))
}

/// The columns by their places; a place that no feature has is a column that the model ignores.
fn inputs(features: &[FloatFeature]) -> Result<Vec<Input>, Error> {
    let last = features.iter().map(|feature| feature.flat_feature_index as usize).max();
    let count = last.map_or(0, |last| last + 1);
    if count > MAX_FEATURES || count > features.len() {
        return Err(malformed(format!("its last column is {count}, but it has {} features", features.len())));
    }
    let mut inputs: Vec<Input> =
        (0..count).map(|column| Input::new(format!("f{column}"), Kind::Number)).collect();
    for feature in features.iter().filter(|feature| !feature.feature_id.is_empty()) {
        inputs[feature.flat_feature_index as usize].name.clone_from(&feature.feature_id);
    }
    Ok(inputs)
}

fn symmetric(
    trees: &[Tree],
    features: &[FloatFeature],
    scale: f64,
    bias: Vec<f64>,
) -> Result<Symmetric, Error> {
    let by_index: HashMap<u32, &FloatFeature> =
        features.iter().map(|feature| (feature.feature_index, feature)).collect();
    let border = |split: &Split| {
        let (index, border) = split.float_feature_index.zip(split.border)?;
        let feature = by_index.get(&index)?;
        let missing = match feature.nan_value_treatment.as_str() {
            "AsIs" | "AsFalse" => false,
            "AsTrue" => true,
            _ => return None,
        };
        Some(Border { feature: feature.flat_feature_index, border: f64::from(border), missing })
    };
    let mut symmetric =
        Symmetric { trees: Vec::new(), leaf_values: Vec::new(), leaf_rows: Some(Vec::new()), scale, bias };
    for (number, tree) in trees.iter().enumerate() {
        let splits = tree.splits.as_deref().unwrap_or_default();
        let leaves = 1_usize << splits.len().min(MAX_DEPTH);
        if splits.len() > MAX_DEPTH || tree.leaf_values.len() != leaves * symmetric.bias.len() {
            let (splits, values) = (splits.len(), tree.leaf_values.len());
            return Err(malformed(format!("tree {number} has {splits} splits and {values} leaf values")));
        }
        let splits = splits.iter().map(border).collect::<Option<Vec<_>>>();
        let splits =
            splits.ok_or_else(|| malformed(format!("tree {number} has a split without its feature")))?;
        symmetric.trees.push(SymmetricTree { splits, first: symmetric.leaf_values.len() });
        symmetric.leaf_values.extend_from_slice(&tree.leaf_values);
        symmetric.leaf_rows =
            symmetric.leaf_rows.filter(|_| tree.leaf_weights.len() == leaves).map(|mut rows| {
                rows.extend_from_slice(&tree.leaf_weights);
                rows
            });
    }
    Ok(symmetric)
}
