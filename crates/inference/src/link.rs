//! From margins to answers: the last step of every boosted model.

use crate::predictions::{Labels, Matrix};

/// The width of the numbers that a library computes with.
///
/// Sums, products and quotients of two 32-bit numbers that are computed in 64 bits and rounded are those that 32 bits
/// give, so everything is a double here and is rounded where the library rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Width {
    Single,
    #[default]
    Double,
}

impl Width {
    pub fn round(self, value: f64) -> f64 {
        match self {
            Width::Single => f64::from(value as f32),
            Width::Double => value,
        }
    }
}

/// What is done to a margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Link {
    Identity,
    /// `1 / (1 + exp(-scale x))`
    Sigmoid(f64),
    /// `exp(x - max) / Σ exp(x - max)` over the row
    Softmax,
    Exp,
    /// `ln(1 + exp x)`
    LogOnePlusExp,
    /// `sign(x) x²`
    SignedSquare,
    /// 1 above 0
    Hinge,
    /// The index of the largest
    ArgMax,
}

/// What the numbers after the link are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The probability of the second of two classes.
    Binary,
    /// A probability for each class.
    Multiclass,
    /// Numbers.
    Value,
}

/// How margins become answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Objective {
    pub role: Role,
    pub link: Link,
    /// Margins are divided by this before the link.
    pub divisor: f64,
}

impl Link {
    /// Replaces the margins of one row.
    fn apply(self, row: &mut [f64], width: Width) {
        let round = |x: f64| width.round(x);
        match self {
            Link::Identity | Link::ArgMax => {}
            Link::Sigmoid(scale) => row.iter_mut().for_each(|x| *x = sigmoid(scale * *x, width)),
            Link::Exp => row.iter_mut().for_each(|x| *x = round(x.exp())),
            Link::LogOnePlusExp => row.iter_mut().for_each(|x| *x = round(x.exp().ln_1p())),
            Link::SignedSquare => row.iter_mut().for_each(|x| *x = round(*x * x.abs())),
            Link::Hinge => row.iter_mut().for_each(|x| *x = f64::from(u8::from(*x > 0.0))),
            Link::Softmax => softmax(row, width),
        }
    }
}

pub(crate) fn sigmoid(x: f64, width: Width) -> f64 {
    width.round(1.0 / width.round(1.0 + width.round((-x).exp())))
}

pub(crate) fn softmax(row: &mut [f64], width: Width) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for x in row.iter_mut() {
        *x = width.round(width.round(*x - largest).exp());
        sum = width.round(sum + *x);
    }
    row.iter_mut().for_each(|x| *x = width.round(*x / sum));
}

/// The index of the first largest number.
pub(crate) fn arg_max(row: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best
}

/// Probabilities, values and labels of margins.
pub(crate) struct Answers {
    pub probability: Option<Matrix>,
    pub value: Option<Matrix>,
    pub label: Option<Vec<usize>>,
}

impl Objective {
    pub fn answers(&self, margin: &Matrix) -> Answers {
        let width = margin.width();
        let mut linked = margin.clone();
        for row in linked.rows_mut() {
            row.iter_mut().for_each(|x| *x /= self.divisor);
            self.link.apply(row, width);
        }
        let none = Answers { probability: None, value: None, label: None };
        match self.role {
            Role::Value if self.link == Link::ArgMax => {
                let values = linked.rows().map(|row| arg_max(row) as f64).collect();
                Answers { value: Some(Matrix::new(1, width, values)), ..none }
            }
            Role::Value => Answers { value: Some(linked), ..none },
            Role::Binary => {
                let label = linked.rows().map(|row| usize::from(row[0] > 0.5)).collect();
                let both = linked.rows().flat_map(|row| [width.round(1.0 - row[0]), row[0]]).collect();
                Answers { probability: Some(Matrix::new(2, width, both)), label: Some(label), ..none }
            }
            Role::Multiclass => {
                let label = linked.rows().map(arg_max).collect();
                Answers { probability: Some(linked), label: Some(label), ..none }
            }
        }
    }
}

impl Answers {
    /// Labels by the names of the classes.
    pub fn labels(&self, classes: &Labels) -> Option<Labels> {
        let chosen = self.label.as_ref()?;
        Some(match classes {
            Labels::Integers(names) => Labels::Integers(chosen.iter().map(|&class| names[class]).collect()),
            Labels::Texts(names) => Labels::Texts(chosen.iter().map(|&class| names[class].clone()).collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_have_the_ends_that_they_should() {
        let apply = |link: Link, row: &[f64]| {
            let mut row = row.to_vec();
            link.apply(&mut row, Width::Double);
            row
        };
        assert_eq!(apply(Link::Sigmoid(2.0), &[0.0, 1e4, -1e4]), [0.5, 1.0, 0.0]);
        assert_eq!(apply(Link::Softmax, &[1e300, 1e300]), [0.5, 0.5]);
        assert_eq!(apply(Link::SignedSquare, &[-3.0, 3.0]), [-9.0, 9.0]);
        assert_eq!(apply(Link::Hinge, &[0.0, 1e-9]), [0.0, 1.0]);
        assert_eq!(arg_max(&[1.0, 3.0, 3.0]), 1);
    }
}
