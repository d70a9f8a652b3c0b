//! `info(v, {label matchers})`: adds labels of info series (`target_info` unless the matchers name others) to the
//! series with the same `instance` and `job`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use streamflow_tsdb::{Labels, METRIC_NAME, MatchOp, Matcher};

use crate::ast::{Expr, ExprKind, Modifiers, VectorSelector};
use crate::error::Error;
use crate::eval::RunningQuery;
use crate::eval::analysis::{children, unwrap_parens};
use crate::eval::grid::{Grid, Node, Row, is_absent, merge_same_labels};
use crate::eval::matching::braces;
use crate::eval::selector::{Reading, Take};
use crate::function::Call;

/// By these labels a series finds its info series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

pub(super) fn info(query: &RunningQuery, call: &Call, grid: Grid) -> Result<Node, Error> {
    let matchers: &[Matcher] = match call.args.get(1).map(|arg| &unwrap_parens(arg).kind) {
        Some(ExprKind::Vector(selector)) => &selector.matchers,
        Some(_) => return Err(call.wrong_arguments()),
        None => &[],
    };
    let base = query.rows(&call.args[0], grid)?;
    let enrichment = Enrichment::find(query, &call.args[0], (matchers, call.args.len() > 1), &base, grid)?;
    let mut rows = Vec::new();
    for row in base {
        query.check()?;
        if enrichment.is_info_series(&row.labels) {
            rows.push(row);
        } else {
            rows.extend(enrichment.enrich(query, &row)?);
        }
    }
    merge_same_labels(rows).map(Node::Vector)
}

/// What is added to the series.
struct Enrichment {
    /// On the name. Series that meet them are info series themselves, if one of them says what a name is.
    names: Vec<Matcher>,
    /// On labels other than the name.
    data: Vec<Matcher>,
    /// Info series; their values are the times of their samples.
    info: Vec<Row>,
    /// Info series of each identity, by name.
    by_identity: HashMap<Labels, BTreeMap<String, Vec<usize>>>,
}

impl Enrichment {
    fn find(
        query: &RunningQuery,
        argument: &Expr,
        (matchers, selects): (&[Matcher], bool),
        base: &[Row],
        grid: Grid,
    ) -> Result<Self, Error> {
        let (mut names, data): (Vec<Matcher>, Vec<Matcher>) =
            matchers.iter().cloned().partition(|matcher| matcher.name() == METRIC_NAME);
        let by_name = |op, value| Matcher::new(METRIC_NAME, op, value).expect("the pattern is one");
        let default_name = by_name(MatchOp::Equal, "target_info");
        if !selects {
            names.push(default_name.clone());
        }
        let mut enrichment = Self { names, data, info: Vec::new(), by_identity: HashMap::new() };
        let known = enrichment.known_identities(base);
        if known.is_empty() {
            return Ok(enrichment);
        }
        let mut all: Vec<Matcher> = enrichment.names.iter().chain(&enrichment.data).cloned().collect();
        if enrichment.names.is_empty() {
            all.push(default_name);
        } else if !enrichment.says_a_name() {
            all.push(by_name(MatchOp::Regex, ".+_info"));
        }
        enrichment.info = info_rows(query, argument, all, grid)?;
        enrichment.info.retain(|row| {
            known.iter().all(|(name, values)| row.labels.get(name).is_some_and(|v| values.contains(v)))
        });
        for (index, row) in enrichment.info.iter().enumerate() {
            let same = enrichment.by_identity.entry(row.labels.keep(&IDENTIFYING)).or_default();
            same.entry(row.labels.name().to_owned()).or_default().push(index);
        }
        Ok(enrichment)
    }

    /// The values of identifying labels among the series to enrich.
    fn known_identities(&self, base: &[Row]) -> BTreeMap<&'static str, BTreeSet<String>> {
        let mut known: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        for row in base.iter().filter(|row| !self.is_info_series(&row.labels)) {
            for name in IDENTIFYING {
                if let Some(value) = row.labels.get(name) {
                    known.entry(name).or_default().insert(value.to_owned());
                }
            }
        }
        known
    }

    fn is_info_series(&self, labels: &Labels) -> bool {
        self.says_a_name() && self.names.iter().all(|matcher| matcher.matches(labels.name()))
    }

    fn says_a_name(&self) -> bool {
        self.names.iter().any(|matcher| matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex))
    }

    /// The series with the labels of its info series, which may change over time.
    fn enrich(&self, query: &RunningQuery, row: &Row) -> Result<Vec<Row>, Error> {
        let nothing = BTreeMap::new();
        let candidates = self.by_identity.get(&row.labels.keep(&IDENTIFYING)).unwrap_or(&nothing);
        let passes_alone = self.data.iter().all(|matcher| matcher.matches(""));
        let mut rows: Vec<Row> = Vec::new();
        let mut place: HashMap<Vec<usize>, usize> = HashMap::new();
        for step in 0..row.values.len() {
            let Some(sample) = row.values.sample(step) else { continue };
            let mut chosen = Vec::new();
            for series in candidates.values() {
                chosen.extend(self.newest(series, step)?);
            }
            if chosen.is_empty() && !passes_alone {
                continue;
            }
            let index = match place.get(&chosen) {
                Some(&index) => index,
                None => {
                    let labels = self.combine(&row.labels, &chosen)?;
                    let values = query.budget.values(row.values.len())?;
                    rows.push(Row { labels, drop_name: row.drop_name, values });
                    place.insert(chosen, rows.len() - 1);
                    rows.len() - 1
                }
            };
            rows[index].values.put(step, Some(sample));
        }
        Ok(rows)
    }

    /// Keeps, of several series of one info metric, the one with the latest sample.
    fn newest(&self, series: &[usize], step: usize) -> Result<Option<usize>, Error> {
        let mut newest: Option<usize> = None;
        for &index in series {
            let time = self.info[index].values[step];
            if is_absent(time) {
                continue;
            }
            match newest.map(|known| (known, self.info[known].values[step])) {
                Some((_, known_time)) if known_time > time => {}
                Some((known, known_time)) if known_time == time => {
                    let ms = (time * 1000.0) as i64;
                    return Err(Error::Execution(format!(
                        "found duplicate series for info metric: existing {} @ {ms}, new {} @ {ms}",
                        braces(&self.info[known].labels),
                        braces(&self.info[index].labels)
                    )));
                }
                _ => newest = Some(index),
            }
        }
        Ok(newest)
    }

    fn combine(&self, base: &Labels, chosen: &[usize]) -> Result<Labels, Error> {
        let mut added = Labels::default();
        for &index in chosen {
            for (name, value) in self.info[index].labels.iter() {
                let asked = self.data.is_empty() || self.data.iter().any(|matcher| matcher.name() == name);
                if name == METRIC_NAME || !asked {
                    continue;
                }
                if added.get(name).is_some_and(|known| known != value) {
                    return Err(Error::Execution(format!("conflicting label: {name}")));
                }
                if base.get(name).is_none() {
                    added = added.with(name, value);
                }
            }
        }
        Ok(Labels::new(base.iter().chain(added.iter())))
    }
}

/// The times of the info series' samples, read as of the times at which `argument` reads its own.
fn info_rows(
    query: &RunningQuery,
    argument: &Expr,
    matchers: Vec<Matcher>,
    grid: Grid,
) -> Result<Vec<Row>, Error> {
    let selector = VectorSelector { name: None, matchers, modifiers: Modifiers::default(), extended: None };
    let reading = reading_of(query, argument)?;
    let source =
        query.instant_source_at((&selector, argument.span), reading, grid, Take::TimestampOfNumber)?;
    let rows = source.collect()?;
    match rows.iter().find(|row| row.values.has_histograms()) {
        Some(row) => Err(Error::Execution(format!(
            "this should be an info metric, with float samples: {}",
            braces(&row.labels)
        ))),
        None => Ok(rows),
    }
}

/// How the first selector within reads, through the shifts of the subqueries around it.
fn reading_of(query: &RunningQuery, argument: &Expr) -> Result<Reading, Error> {
    let mut combined = Reading { at_ms: None, offset_ms: 0 };
    let mut node = Some(argument);
    while let Some(expr) = node {
        let modifiers = match &expr.kind {
            ExprKind::Vector(selector) | ExprKind::Matrix { selector, .. } => Some(&selector.modifiers),
            ExprKind::Subquery(subquery) => Some(&subquery.modifiers),
            _ => None,
        };
        if let Some(modifiers) = modifiers {
            let own = query.reading(modifiers)?;
            if own.at_ms.is_some() {
                combined = own;
            } else {
                combined.offset_ms = combined.offset_ms.saturating_add(own.offset_ms);
            }
        }
        node = children(expr).find(|child| has_selector(child));
    }
    Ok(combined)
}

fn has_selector(expr: &Expr) -> bool {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        if matches!(expr.kind, ExprKind::Vector(_) | ExprKind::Matrix { .. }) {
            return true;
        }
        open.extend(children(expr));
    }
    false
}
