//! The objectives of XGBoost: what `base_score` means and what is done to a margin.

use crate::link::{Link, Objective, Role};

/// How the base score, which the file has as a prediction, becomes a margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BaseScore {
    /// It is one.
    Margin,
    /// By its log-odds.
    Probability,
    /// By its logarithm.
    Positive,
}

pub(crate) struct Row {
    pub name: &'static str,
    pub base_score: BaseScore,
    pub role: Role,
    pub link: Link,
}

const fn row(name: &'static str, base_score: BaseScore, role: Role, link: Link) -> Row {
    Row { name, base_score, role, link }
}

pub(crate) static OBJECTIVES: &[Row] = &[
    row("binary:logistic", BaseScore::Probability, Role::Binary, Link::Sigmoid(1.0)),
    row("binary:logitraw", BaseScore::Margin, Role::Value, Link::Identity),
    row("binary:hinge", BaseScore::Margin, Role::Value, Link::Hinge),
    row("multi:softprob", BaseScore::Margin, Role::Multiclass, Link::Softmax),
    row("multi:softmax", BaseScore::Margin, Role::Value, Link::ArgMax),
    row("reg:squarederror", BaseScore::Margin, Role::Value, Link::Identity),
    row("reg:linear", BaseScore::Margin, Role::Value, Link::Identity),
    row("reg:squaredlogerror", BaseScore::Margin, Role::Value, Link::Identity),
    row("reg:absoluteerror", BaseScore::Margin, Role::Value, Link::Identity),
    row("reg:pseudohubererror", BaseScore::Margin, Role::Value, Link::Identity),
    row("reg:quantileerror", BaseScore::Margin, Role::Value, Link::Identity),
    row("reg:logistic", BaseScore::Probability, Role::Value, Link::Sigmoid(1.0)),
    row("reg:gamma", BaseScore::Positive, Role::Value, Link::Exp),
    row("reg:tweedie", BaseScore::Positive, Role::Value, Link::Exp),
    row("count:poisson", BaseScore::Positive, Role::Value, Link::Exp),
    row("survival:cox", BaseScore::Positive, Role::Value, Link::Exp),
    row("survival:aft", BaseScore::Positive, Role::Value, Link::Exp),
    row("rank:pairwise", BaseScore::Margin, Role::Value, Link::Identity),
    row("rank:ndcg", BaseScore::Margin, Role::Value, Link::Identity),
    row("rank:map", BaseScore::Margin, Role::Value, Link::Identity),
];

impl Row {
    /// The margin of a base score, in 32 bits.
    pub fn margin(&self, base_score: f32) -> f32 {
        match self.base_score {
            BaseScore::Margin => base_score,
            BaseScore::Probability => -(1.0 / base_score - 1.0).ln(),
            BaseScore::Positive => base_score.ln(),
        }
    }

    /// What a model of so many outputs answers: several logistic outputs are labels of their own.
    pub fn objective(&self, outputs: usize) -> Objective {
        let role = if self.role == Role::Binary && outputs > 1 { Role::Value } else { self.role };
        Objective { role, link: self.link, divisor: 1.0 }
    }
}
