//! ArithmeticOp and comparisons between two vectors: which series of one side belongs to which of the other.

use std::collections::{HashMap, HashSet};

use streamflow_tsdb::{Labels, METRIC_NAME};

use crate::ast::{Binary, BinaryOp, Cardinality, Matching, Span};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::binary::{ArithmeticOp, Operator};
use crate::eval::grid::{Grid, METADATA, Row, Sample, Values, is_absent, merge_same_labels};
use crate::eval::native::{between, combines};

/// Numbers the label sets that a matching tells apart.
pub(crate) struct Signatures<'m> {
    matching: &'m Matching,
    numbers: HashMap<Labels, usize>,
}

impl<'m> Signatures<'m> {
    pub(crate) fn new(matching: &'m Matching) -> Self {
        Self { matching, numbers: HashMap::new() }
    }

    /// The number of each row's signature.
    pub(crate) fn number(&mut self, rows: &[Row]) -> Vec<usize> {
        rows.iter()
            .map(|row| {
                let next = self.numbers.len();
                *self.numbers.entry(match_labels(&row.labels, self.matching)).or_insert(next)
            })
            .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// The labels by which a series is matched.
fn match_labels(labels: &Labels, matching: &Matching) -> Labels {
    let names: Vec<&str> = matching.labels.iter().map(String::as_str).collect();
    if matching.on {
        labels.keep(&names)
    } else {
        labels.without(&[names.as_slice(), &[METRIC_NAME]].concat())
    }
}

/// One side of a match: its rows and the number of each row's signature.
struct Side {
    rows: Vec<Row>,
    signatures: Vec<usize>,
    /// Rows of each signature.
    members: Vec<Vec<usize>>,
}

impl Side {
    fn new(rows: Vec<Row>, signatures: Vec<usize>) -> Self {
        Self { rows, signatures, members: Vec::new() }
    }

    fn index(&mut self, count: usize) {
        self.members = vec![Vec::new(); count];
        for (row, &signature) in self.signatures.iter().enumerate() {
            self.members[signature].push(row);
        }
    }

    fn any_present(&self, step: usize) -> bool {
        self.rows.iter().any(|row| !is_absent(row.values[step]))
    }
}

/// A match under way. `many` is the left side, or the right one under `group_right`; `one` is the other.
struct Join<'q> {
    query: &'q RunningQuery<'q>,
    op: BinaryOp,
    operator: Operator,
    span: Span,
    return_bool: bool,
    matching: &'q Matching,
    swapped: bool,
    many: Side,
    one: Side,
    grid: Grid,
}

impl RunningQuery<'_> {
    /// An operator between two vectors.
    pub(crate) fn vector_binary(
        &self,
        binary: &Binary,
        lhs: Vec<Row>,
        rhs: Vec<Row>,
        grid: Grid,
    ) -> Result<Vec<Row>, Error> {
        let plain = Matching {
            card: Cardinality::OneToOne,
            on: false,
            labels: Vec::new(),
            include: Vec::new(),
            fill: crate::ast::Fill::default(),
        };
        let matching = binary.matching.as_ref().unwrap_or(&plain);
        if matches!(binary.op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) {
            return self.set_operation(binary.op, matching, lhs, rhs);
        }
        let mut signatures = Signatures::new(matching);
        let (left, right) = (signatures.number(&lhs), signatures.number(&rhs));
        let swapped = matching.card == Cardinality::OneToMany;
        let (mut many, mut one) = (Side::new(lhs, left), Side::new(rhs, right));
        if swapped {
            std::mem::swap(&mut many, &mut one);
        }
        many.index(signatures.len());
        one.index(signatures.len());
        let join = Join {
            query: self,
            op: binary.op,
            operator: Operator::of(binary.op, binary.return_bool)?,
            span: binary.lhs.span,
            return_bool: binary.return_bool,
            matching,
            swapped,
            many,
            one,
            grid,
        };
        join.run()
    }
}

impl Join<'_> {
    fn run(self) -> Result<Vec<Row>, Error> {
        self.check_one_side()?;
        self.check_many_side()?;
        let mut rows = Vec::new();
        for many in 0..self.many.rows.len() {
            self.query.check()?;
            let partners = &self.one.members[self.many.signatures[many]];
            for &one in partners {
                rows.extend(self.pair(&self.many.rows[many], &self.one.rows[one])?);
            }
            rows.extend(self.fill_one(many, partners)?);
        }
        for one in 0..self.one.rows.len() {
            rows.extend(self.fill_many(one)?);
        }
        merge_same_labels(rows)
    }

    /// Values for missing partners: of the many side, of the one side. Prometheus exchanges the sides under
    /// `group_right`, but not their fill values.
    fn fills(&self) -> (Option<f64>, Option<f64>) {
        (self.matching.fill.left, self.matching.fill.right)
    }

    /// At no step may two series of the one side have the same signature.
    fn check_one_side(&self) -> Result<(), Error> {
        for members in self.one.members.iter().filter(|members| members.len() > 1) {
            for step in 0..self.grid.steps {
                let mut present = members.iter().filter(|&&row| !is_absent(self.one.rows[row].values[step]));
                let (Some(&first), Some(&second)) = (present.next(), present.next()) else { continue };
                let fills = self.fills();
                // Where one side has no series at all nothing is matched.
                if fills == (None, None) && !self.many.any_present(step) {
                    continue;
                }
                let (first, second) = (&self.one.rows[first].labels, &self.one.rows[second].labels);
                return Err(Error::Execution(format!(
                    "found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                    braces(&match_labels(second, self.matching)),
                    if self.swapped { "left" } else { "right" },
                    braces(first),
                    braces(second),
                )));
            }
        }
        Ok(())
    }

    /// At no step may two series of the many side give the same result.
    fn check_many_side(&self) -> Result<(), Error> {
        let (_, fill_one) = self.fills();
        for (signature, members) in
            self.many.members.iter().enumerate().filter(|(_, members)| members.len() > 1)
        {
            let partners = &self.one.members[signature];
            if partners.is_empty() && fill_one.is_none() {
                continue;
            }
            for step in 0..self.grid.steps {
                let partner = partners.iter().find(|&&row| !is_absent(self.one.rows[row].values[step]));
                if partner.is_none() && fill_one.is_none() {
                    continue;
                }
                let mut seen = HashSet::new();
                for &row in members.iter().filter(|&&row| self.counts(row, partner.copied(), step)) {
                    if self.matching.card == Cardinality::OneToOne {
                        if !seen.insert(Labels::default()) {
                            return Err(Error::Execution("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)".into()));
                        }
                        continue;
                    }
                    let many = &self.many.rows[row].labels;
                    let labels = match partner {
                        Some(&one) => self.result_labels(many, &self.one.rows[one].labels),
                        None => self.result_labels(many, &match_labels(many, self.matching)),
                    };
                    if !seen.insert(labels) {
                        return Err(Error::Execution(
                            "multiple matches for labels: grouping labels must ensure unique matches".into(),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Tells whether a series of the many side has a sample at a step that goes together with its partner's: a histogram
    /// and a number, or two histograms, that have no result are no match.
    fn counts(&self, many: usize, one: Option<usize>, step: usize) -> bool {
        let many = &self.many.rows[many].values;
        if is_absent(many[step]) {
            return false;
        }
        let Some(one) = one.map(|one| &self.one.rows[one].values) else { return true };
        if many.histogram(step).is_none() && one.histogram(step).is_none() {
            return true;
        }
        let (Some(many), Some(one)) = (many.sample(step), one.sample(step)) else { return true };
        let (lhs, rhs) = if self.swapped { (&one, &many) } else { (&many, &one) };
        combines(self.operator, lhs, rhs)
    }

    /// The result of two series where both have samples.
    fn pair(&self, many: &Row, one: &Row) -> Result<Option<Row>, Error> {
        let labels = self.result_labels(&many.labels, &one.labels);
        if many.values.has_histograms() || one.values.has_histograms() || !self.operator.takes_numbers() {
            return self
                .native_row(labels, |step| Some((many.values.sample(step)?, one.values.sample(step)?)));
        }
        self.row(labels, |step| {
            let (many, one) = (many.values[step], one.values[step]);
            (!is_absent(many) && !is_absent(one)).then_some((many, one))
        })
    }

    /// The steps at which a series of the many side has no partner.
    fn fill_one(&self, many: usize, partners: &[usize]) -> Result<Option<Row>, Error> {
        let (_, Some(fill)) = self.fills() else { return Ok(None) };
        let many = &self.many.rows[many];
        let labels = self.result_labels(&many.labels, &match_labels(&many.labels, self.matching));
        let alone = |step: usize| partners.iter().all(|&one| is_absent(self.one.rows[one].values[step]));
        if many.values.has_histograms() || !self.operator.takes_numbers() {
            return self.native_row(labels, |step| {
                let many = many.values.sample(step).filter(|_| alone(step))?;
                Some((many, Sample::Number(fill)))
            });
        }
        self.row(labels, |step| {
            (alone(step) && !is_absent(many.values[step])).then_some((many.values[step], fill))
        })
    }

    /// The steps at which a series of the one side has no partner.
    fn fill_many(&self, one: usize) -> Result<Option<Row>, Error> {
        let (Some(fill), _) = self.fills() else { return Ok(None) };
        let members = &self.many.members[self.one.signatures[one]];
        let one = &self.one.rows[one];
        let labels = self.result_labels(&match_labels(&one.labels, self.matching), &one.labels);
        let alone = |step: usize| members.iter().all(|&many| is_absent(self.many.rows[many].values[step]));
        if one.values.has_histograms() || !self.operator.takes_numbers() {
            return self.native_row(labels, |step| {
                let one = one.values.sample(step).filter(|_| alone(step))?;
                Some((Sample::Number(fill), one))
            });
        }
        self.row(labels, |step| {
            (alone(step) && !is_absent(one.values[step])).then_some((fill, one.values[step]))
        })
    }

    /// A row of what the operator makes of the operands that `operands` gives: (many, one).
    fn row(
        &self,
        labels: Labels,
        operands: impl Fn(usize) -> Option<(f64, f64)>,
    ) -> Result<Option<Row>, Error> {
        let mut values = self.query.budget.values(self.grid.steps)?;
        let mut any = false;
        for (step, cell) in values.iter_mut().enumerate() {
            let Some((many, one)) = operands(step) else { continue };
            let (lhs, rhs) = if self.swapped { (one, many) } else { (many, one) };
            *cell = self.operator.numbers(lhs, rhs, lhs);
            any |= !is_absent(*cell);
        }
        Ok(any.then(|| self.named(labels, values)))
    }

    /// As [`Join::row`], with histograms among the operands.
    fn native_row(
        &self,
        labels: Labels,
        operands: impl Fn(usize) -> Option<(Sample, Sample)>,
    ) -> Result<Option<Row>, Error> {
        let mut values = self.query.budget.values(self.grid.steps)?;
        for step in 0..self.grid.steps {
            let Some((many, one)) = operands(step) else { continue };
            let (lhs, rhs) = if self.swapped { (&one, &many) } else { (&many, &one) };
            values.put(step, between(self.query, (self.op, self.operator, self.span), lhs, rhs, false));
        }
        values.weigh()?;
        Ok(values.any_present().then(|| self.named(labels, values)))
    }

    fn named(&self, labels: Labels, values: Values) -> Row {
        let (labels, drop_name) =
            if self.return_bool { self.query.dropped_name(&labels) } else { (labels, false) };
        Row { labels, drop_name, values }
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let mut labels = many.clone();
        if ArithmeticOp::of(self.op).is_some() {
            labels = labels.without(&METADATA);
        }
        if self.matching.card == Cardinality::OneToOne {
            let names: Vec<&str> = self.matching.labels.iter().map(String::as_str).collect();
            labels = if self.matching.on { labels.keep(&names) } else { labels.without(&names) };
        }
        for name in &self.matching.include {
            labels = match one.get(name) {
                Some(value) => labels.with(name, value),
                None => labels.without(&[name]),
            };
        }
        labels
    }
}

/// `{__name__="m", a="b"}`: how Prometheus writes labels in messages.
pub(crate) fn braces(labels: &Labels) -> String {
    let parts: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", parts.join(", "))
}
