//! What a reader should know before any column: the verdict, what changed in words, and both tables in numbers.

use std::fmt::Write as _;

use super::{Addition, anchor, escape};
use crate::calibrated::SIGNIFICANCE_LEVEL;
use crate::column::ColumnType;
use crate::format::{count, grouped, percent, points};
use crate::report::{ColumnReport, Dataset, Decision, Report, SideSummary, Status, TargetDrift};

/// Columns named although they have not drifted.
const NAMED_BELOW: usize = 3;

/// The headline, the decision and what led to it.
pub(super) fn verdict(report: &Report, addition: &Addition) -> String {
    let relation = match report.decision {
        Decision::NoAction => "below",
        Decision::RetrainingTriggered => "at or over",
    };
    let decision = match addition.retraining {
        Some(_) => Decision::RetrainingTriggered,
        None => report.decision,
    };
    let (class, what) = match decision {
        Decision::NoAction => ("calm", "No retraining."),
        Decision::RetrainingTriggered => ("alarm", "Retraining is due."),
    };
    let (headline, reason) = match &addition.retraining {
        Some(reason) => {
            (format!("The model is no longer right. {}", report.headline()), format!("{} ", escape(reason)))
        }
        None => (report.headline(), String::new()),
    };
    let (share, threshold) = (percent(report.drift_share), percent(report.drift_share_threshold));
    format!(
        r#"<p class="over"><bdi>{current}</bdi> against <bdi>{reference}</bdi></p><h1>{headline}</h1>
<div class="verdict"><div><p class="decision {class}">{decision}</p><p>{what} {reason}{share} of the columns that count drifted, {relation} the threshold of {threshold}.{weighted}</p>{meter}</div>{facts}</div>"#,
        current = escape(&report.current.name),
        reference = escape(&report.reference.name),
        decision = decision.as_str(),
        weighted = report
            .weighted
            .as_ref()
            .map_or_else(String::new, |found| format!(" {}", escape(&found.sentence()))),
        meter = meter(report),
        facts = facts(report),
    )
}

fn meter(report: &Report) -> String {
    let (share, threshold) = (report.drift_share * 100.0, report.drift_share_threshold * 100.0);
    let place = match threshold {
        t if t < 15.0 => "start",
        t if t > 85.0 => "end",
        _ => "",
    };
    format!(
        r#"<div class="meter" role="meter" aria-label="Share of drifted columns" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.1}"><span class="{place}" style="left:{threshold:.1}%">threshold {label}</span><i style="width:{share:.1}%"></i><b style="left:{threshold:.1}%"></b></div><div class="scale"><span>0 %</span><span>100 %</span></div>"#,
        label = percent(report.drift_share_threshold),
    )
}

fn facts(report: &Report) -> String {
    let side =
        |side: &Dataset| format!("<bdi>{}</bdi>, {}", escape(&side.name), count(side.rows as u64, "row"));
    let target = match (&report.target_drift, &report.target_change) {
        (Some(found), _) => target(found),
        (None, Some(found)) => format!("<bdi>{}</bdi>: {}", escape(&found.column), escape(&found.words())),
        (None, None) => {
            "unknown: no labels of two classes on both sides (others are compared as columns)".to_owned()
        }
    };
    format!(
        "<dl><dt>Reference</dt><dd>{}</dd><dt>Current</dt><dd>{}</dd><dt>Target drift</dt><dd>{target}</dd><dt>Profile</dt><dd>{}</dd></dl>",
        side(&report.reference),
        side(&report.current),
        report.profile.as_str()
    )
}

/// The rates, their difference and how sure it is.
fn target(target: &TargetDrift) -> String {
    let interval = &target.change_interval;
    let change = target.current_rate - target.reference_rate;
    let sure = if interval.excludes_zero() { "" } else { "; chance alone could do it" };
    format!(
        "<bdi>{}</bdi> {} → {}, {} points<small>{} interval of the difference {} to {}{sure}</small>",
        escape(&target.column),
        percent(target.reference_rate),
        percent(target.current_rate),
        points(change),
        percent(interval.confidence),
        points(interval.low),
        points(interval.high),
    )
}

/// What changed in words, the largest change first: what drifted, then what came nearest to it.
pub(super) fn changes(report: &Report) -> String {
    let mut columns: Vec<(usize, &ColumnReport)> = report
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.status == Status::Tested || column.drifted)
        .collect();
    // What cannot be tested any more changed most.
    let ratio =
        |column: &ColumnReport| if column.status == Status::Tested { column.ratio() } else { f64::INFINITY };
    columns.sort_by(|(_, a), (_, b)| ratio(b).total_cmp(&ratio(a)));
    let (drifted, stable): (Vec<_>, Vec<_>) = columns.into_iter().partition(|(_, column)| column.drifted);
    let moved: Vec<_> =
        stable.into_iter().filter(|(_, column)| is_significant(column)).take(NAMED_BELOW).collect();
    if drifted.is_empty() && moved.is_empty() {
        return String::new();
    }
    let mut html = String::from(r#"<section aria-labelledby="changes"><h2 id="changes">What changed</h2>"#);
    for (title, columns) in
        [("Drifted, the largest change first", drifted), ("Moved, but not far enough to count", moved)]
    {
        if columns.is_empty() {
            continue;
        }
        let _ = write!(html, r#"<h3>{title}</h3><ul class="changes">"#);
        for (place, column) in columns {
            let (name, words) = (escape(&column.name), escape(&column.explanation));
            let _ = write!(
                html,
                r##"<li><a href="#{}"><bdi>{name}</bdi></a><span>{words}</span></li>"##,
                anchor(place)
            );
        }
        html += "</ul>";
    }
    html + "</section>"
}

/// Tells whether chance is an unlikely reason, by the values or by the missing share. Known in the calibrated profile
/// only: there the p-values are adjusted.
fn is_significant(column: &ColumnReport) -> bool {
    let missing = column.missing.as_ref().and_then(|missing| missing.adjusted_p_value);
    [column.adjusted_p_value, missing].into_iter().flatten().any(|p| p <= SIGNIFICANCE_LEVEL)
}

/// Both tables in numbers.
pub(super) fn datasets(report: &Report) -> String {
    let sides = [(&report.reference, "Reference"), (&report.current, "Current")];
    let missing = |of: fn(&ColumnReport) -> Option<&SideSummary>| {
        let (mut missing, mut cells) = (0, 0);
        for side in report.columns.iter().filter_map(of) {
            missing += side.missing;
            cells += side.rows;
        }
        if cells == 0 { "–".to_owned() } else { percent(missing as f64 / cells as f64) }
    };
    let missing = [missing(|column| column.reference.as_ref()), missing(|column| column.current.as_ref())];
    let mut html = String::from(
        r#"<section aria-labelledby="tables"><h2 id="tables">Both tables</h2><table class="plain numbers"><thead><tr><th scope="col">Side</th><th scope="col">Name</th><th scope="col">Rows</th><th scope="col">Columns</th><th scope="col">Missing cells</th></tr></thead><tbody>"#,
    );
    for ((side, label), missing) in sides.into_iter().zip(missing) {
        let _ = write!(
            html,
            r#"<tr><th scope="row">{label}</th><td><bdi>{}</bdi></td><td>{}</td><td>{}</td><td>{missing}</td></tr>"#,
            escape(&side.name),
            grouped(side.rows as i64),
            grouped(side.columns as i64),
        );
    }
    let _ = write!(
        html,
        "</tbody></table><p class=\"after\">{}</p>{}</section>",
        tested(report),
        quality(report)
    );
    html
}

/// What stands out in each table by itself.
fn quality(report: &Report) -> String {
    let Some(quality) = &report.quality else { return String::new() };
    let mut html = String::from(r#"<h3>Data quality</h3><ul class="changes">"#);
    for (label, side) in [("Reference", &quality.reference), ("Current", &quality.current)] {
        let found = side.findings();
        let words = if found.is_empty() { "nothing stands out".to_owned() } else { found.join("; ") };
        let _ = write!(html, "<li><b>{label}</b><span>{}</span></li>", escape(&words));
    }
    html + "</ul>"
}

/// How many columns of which type were tested, and how many were not.
fn tested(report: &Report) -> String {
    let of =
        |keep: &dyn Fn(&ColumnReport) -> bool| report.columns.iter().filter(|column| keep(column)).count();
    let types: Vec<String> = [ColumnType::Numerical, ColumnType::Categorical, ColumnType::Text]
        .into_iter()
        .map(|kind| (kind, of(&|column| column.status == Status::Tested && column.column_type == kind)))
        .filter(|(_, n)| *n > 0)
        .map(|(kind, n)| format!("{n} {}", kind.as_str()))
        .collect();
    let mut words = count(report.tested_columns as u64, "column") + " tested";
    if !types.is_empty() {
        let _ = write!(words, ": {}", types.join(", "));
    }
    for (status, name) in [(Status::NotComputable, "not computable"), (Status::Ignored, "left out")] {
        let n = of(&|column| column.status == status);
        if n > 0 {
            let _ = write!(words, "; {n} {name}");
        }
    }
    words + "."
}
