//! What the report draws of classes and of numbers, where ROC and calibration do not apply.

use std::fmt::Write as _;

use streamflow_drift::html::escape;
use streamflow_performance::{ValueBin, ValueDecile, significant};

use super::realised::{ClassTable, Details, ErrorDrawings, Realised};
use super::section::{SIZE, figure, path};

/// Classes up to which the matrix of right and wrong predictions is shown; the JSON has it of any number.
const MATRIX_CLASSES: usize = 12;

/// The table of classes, and who was taken for whom.
pub fn classes(table: &ClassTable) -> String {
    let mut rows = String::new();
    for (name, class) in table.names.iter().zip(&table.classes) {
        let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        let _ = write!(
            rows,
            r#"<tr><th scope="row"><bdi>{}</bdi></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"#,
            escape(name),
            class.rows,
            share(class.precision),
            share(class.recall),
            share(class.f1),
            share(class.roc_auc)
        );
    }
    let unknown =
        unknown_classes(table).map(|words| format!("<p>{}</p>", escape(&words))).unwrap_or_default();
    format!(
        r#"{unknown}<h3>Classes</h3><table class="plain measured"><thead><tr><th scope="col">Class</th><th scope="col">Rows</th><th scope="col">Precision</th><th scope="col">Recall</th><th scope="col">F1</th><th scope="col">AUC against the others</th></tr></thead><tbody>{rows}</tbody></table>{}"#,
        confusion(table)
    )
}

fn confusion(table: &ClassTable) -> String {
    let classes = table.names.len();
    if classes > MATRIX_CLASSES {
        return format!(
            "<p>The matrix of {classes} classes stands in the JSON; up to {MATRIX_CLASSES} are shown.</p>"
        );
    }
    let head: String = table
        .names
        .iter()
        .map(|name| format!(r#"<th scope="col">predicted <bdi>{}</bdi></th>"#, escape(name)))
        .collect();
    let mut rows = String::new();
    for (name, counts) in table.names.iter().zip(&table.confusion) {
        let cells: String = counts.iter().map(|count| format!("<td>{count}</td>")).collect();
        let _ = write!(rows, r#"<tr><th scope="row">was <bdi>{}</bdi></th>{cells}</tr>"#, escape(name));
    }
    format!(
        r#"<h3>Right and wrong predictions</h3><table class="plain"><thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"#
    )
}

/// The classes of the month that the version never learned, in a sentence; none where there is none.
pub fn unknown(realised: &Realised) -> Option<String> {
    match &realised.details {
        Some(Details::Multiclass(table)) => unknown_classes(table),
        _ => None,
    }
}

fn unknown_classes(table: &ClassTable) -> Option<String> {
    let names = table.names.get(table.known..).filter(|names| !names.is_empty())?;
    let rows: u64 = table.classes[table.known..].iter().map(|class| class.rows).sum();
    let (count, are) = if rows == 1 { ("1 row".to_owned(), "is") } else { (format!("{rows} rows"), "are") };
    Some(format!(
        "{count} {are} of a class that the version was not trained with ({}): it is always wrong about them. Train a version on a month that has the class.",
        names.join(", ")
    ))
}

/// The histogram of errors, and labels against predictions.
pub fn errors(drawings: &ErrorDrawings) -> String {
    let mut figures = String::new();
    if let (Some(first), Some(last)) = (drawings.errors.first(), drawings.errors.last()) {
        let (low, high) = (significant(first.low), significant(last.high));
        let title = format!("Errors: prediction less label, from {low} to {high}");
        figures.push_str(&figure(&title, &histogram(&drawings.errors)));
    }
    if let Some((low, high)) = range(&drawings.deciles) {
        let title = format!(
            "Mean label against mean prediction of each tenth, from {} to {}",
            significant(low),
            significant(high)
        );
        figures.push_str(&figure(&title, &deciles(&drawings.deciles, low, high)));
    }
    format!(r#"<div class="drawings">{figures}</div>"#)
}

fn histogram(bins: &[ValueBin]) -> String {
    let peak = bins.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1) as f64;
    let width = 1.0 / bins.len() as f64;
    let corners = bins.iter().enumerate().flat_map(|(place, bin)| {
        let height = bin.rows as f64 / peak * 0.98;
        [(place as f64 * width, height), ((place + 1) as f64 * width, height)]
    });
    let zero = match (bins.first(), bins.last()) {
        (Some(first), Some(last)) if first.low < 0.0 && last.high > 0.0 => {
            let x = -first.low / (last.high - first.low);
            format!(r#"<path class="chance" d="{}"/>"#, path([(x, 0.0), (x, 1.0)].into_iter()))
        }
        _ => String::new(),
    };
    format!(r#"{zero}<path class="c-line" d="{}"/>"#, path(corners))
}

/// The smallest and the largest of all means; none where they do not differ.
fn range(deciles: &[ValueDecile]) -> Option<(f64, f64)> {
    let all = || deciles.iter().flat_map(|decile| [decile.mean_prediction, decile.mean_truth]);
    let (low, high) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
    (low < high && (high - low).is_finite()).then_some((low, high))
}

fn deciles(deciles: &[ValueDecile], low: f64, high: f64) -> String {
    let place = |value: f64| (value - low) / (high - low);
    let points: Vec<(f64, f64)> =
        deciles.iter().map(|decile| (place(decile.mean_prediction), place(decile.mean_truth))).collect();
    let dots: String = points
        .iter()
        .map(|(x, y)| {
            let (x, y) = (x * SIZE.width, (1.0 - y) * SIZE.height);
            format!(r#"<circle class="c-dot" cx="{x:.1}" cy="{y:.1}" r="2.5"/>"#)
        })
        .collect();
    let chance = path([(0.0, 0.0), (1.0, 1.0)].into_iter());
    format!(
        r#"<path class="chance" d="{chance}"/><path class="c-line" d="{}"/>{dots}"#,
        path(points.into_iter())
    )
}

#[cfg(test)]
mod tests {
    use streamflow_performance::ClassRow;

    use super::*;

    #[test]
    fn names_are_escaped_and_classes_that_are_unknown_are_told() {
        let row = |rows| ClassRow { rows, precision: Some(0.5), recall: None, f1: None, roc_auc: Some(0.75) };
        let table = ClassTable {
            names: vec!["<b>".into(), "plus".into(), "new".into()],
            known: 2,
            classes: vec![row(3), row(2), row(1)],
            confusion: vec![vec![3, 0, 0], vec![1, 1, 0], vec![1, 0, 0]],
        };
        let html = classes(&table);
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
        assert!(html.contains("1 row is of a class that the version was not trained with (new)"), "{html}");
        assert!(html.contains("<td>0.500</td><td>–</td>"), "{html}");
        assert_eq!(unknown_classes(&ClassTable { known: 3, ..table }), None);
    }

    #[test]
    fn errors_around_zero_show_it_and_equal_means_are_not_drawn() {
        let bins =
            vec![ValueBin { low: -1.0, high: 0.0, rows: 4 }, ValueBin { low: 0.0, high: 1.0, rows: 2 }];
        let decile = ValueDecile { rows: 6, mean_prediction: 2.0, mean_truth: 2.0 };
        let html = errors(&ErrorDrawings { errors: bins, deciles: vec![decile] });
        assert!(html.contains("Errors: prediction less label, from -1.000 to 1.000"), "{html}");
        assert!(html.contains("chance") && !html.contains("Mean label"), "{html}");
    }
}
