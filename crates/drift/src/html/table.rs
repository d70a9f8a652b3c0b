//! The table of columns: a row, its drawing and its details for each tested column.

use std::fmt::Write as _;

use super::{anchor, chart, escape};
use crate::column::ColumnType;
use crate::format::{grouped, number, p_value, percent};
use crate::methods::Method;
use crate::methods::ScoreKind;
use crate::report::{ColumnReport, Distribution, Report, SideSummary, Status};
use crate::settings::RuleSet;

/// The table with its tools; drifted columns first, then by how near they are to the threshold.
pub(super) fn columns(report: &Report) -> String {
    let mut tested: Vec<(usize, &ColumnReport)> =
        report.columns.iter().enumerate().filter(|(_, column)| column.status == Status::Tested).collect();
    if tested.is_empty() {
        return String::new();
    }
    tested.sort_by(|(_, a), (_, b)| b.drifted.cmp(&a.drifted).then(b.ratio().total_cmp(&a.ratio())));
    let mut html = format!(
        r#"<section aria-labelledby="columns"><h2 id="columns">Columns</h2>
<div class="tools" hidden><input type="search" placeholder="Find a column" aria-label="Find a column"><label>Type <select>{types}</select></label><label><input type="checkbox"> drifted only</label><output></output></div>
<p class="legend"><span class="r"><bdi>{}</bdi> (reference)</span><span class="c"><bdi>{}</bdi> (current)</span></p>
<table class="columns"><thead><tr>{}</tr></thead>"#,
        escape(&report.reference.name),
        escape(&report.current.name),
        heads(report.profile),
        types = types(&tested),
    );
    for (place, column) in tested {
        body(&mut html, place, column, report.profile);
    }
    html + "</table></section>"
}

/// The types there are, to choose from.
fn types(columns: &[(usize, &ColumnReport)]) -> String {
    let mut html = String::from(r#"<option value="">all</option>"#);
    for kind in [ColumnType::Numerical, ColumnType::Categorical, ColumnType::Text] {
        if columns.iter().any(|(_, column)| column.column_type == kind) {
            let _ = write!(html, "<option>{}</option>", kind.as_str());
        }
    }
    html
}

fn heads(profile: RuleSet) -> String {
    let numbers: &[(&str, &str)] = match profile {
        RuleSet::Calibrated => &[("Effect size", "effect"), ("p-value", "p"), ("Adjusted p", "adjusted")],
        RuleSet::Evidently => &[("Score", "score"), ("Threshold", "")],
    };
    let mut html =
        String::from(r#"<th scope="col" data-key="name">Column</th><th scope="col">Distribution</th>"#);
    for (label, key) in numbers {
        let key = if key.is_empty() { String::new() } else { format!(r#" data-key="{key}""#) };
        let _ = write!(html, r#"<th scope="col" class="num"{key}>{label}</th>"#);
    }
    html + r#"<th scope="col" data-key="order">Verdict</th>"#
}

fn body(html: &mut String, place: usize, column: &ColumnReport, profile: RuleSet) {
    let plain = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let effect = column.effect_size.as_ref().and_then(|effect| effect.value);
    let name = escape(&column.name);
    let drawing = column.distribution.as_ref().map_or_else(String::new, |d| chart::small(d, &column.name));
    let caption = if column.column_type == ColumnType::Text { "<small>length of text</small>" } else { "" };
    let verdict = match (column.drifted, column.missing.as_ref().is_some_and(|missing| missing.drifted)) {
        (true, true) => r#"<span class="chip alarm">▲ Drifted</span><small>missing values</small>"#,
        (true, false) => r#"<span class="chip alarm">▲ Drifted</span>"#,
        (false, _) => r#"<span class="chip calm">Stable</span>"#,
    };
    let numbers = match profile {
        RuleSet::Calibrated => calibrated_cells(column),
        RuleSet::Evidently => evidently_cells(column),
    };
    let _ = write!(
        html,
        r#"<tbody id="{id}" data-name="{name}" data-type="{kind}" data-drifted="{drifted}" data-order="{order}" data-effect="{effect}" data-score="{score}" data-p="{p}" data-adjusted="{adjusted}"><tr class="row"><th scope="row" class="who"><bdi class="name">{name}</bdi><small>{kind}</small></th><td class="draw">{drawing}{caption}</td>{numbers}<td class="say">{verdict}</td></tr><tr class="more"><td colspan="{span}"><details><summary>{words}</summary>{detail}</details></td></tr></tbody>"#,
        id = anchor(place),
        drifted = u8::from(column.drifted),
        order = if column.drifted { 0 } else { 1 },
        effect = plain(effect),
        score = plain(column.score),
        p = plain(column.p_value),
        adjusted = plain(column.adjusted_p_value),
        kind = column.column_type.as_str(),
        span = if profile == RuleSet::Calibrated { 6 } else { 5 },
        words = escape(&column.explanation),
        detail = detail(column),
    );
}

fn calibrated_cells(column: &ColumnReport) -> String {
    let effect = column.effect_size.as_ref().map_or_else(|| "–".to_owned(), |effect| {
        let value = effect.value.map_or_else(|| "not finite".to_owned(), number);
        let filled = (effect.ratio() * 50.0).clamp(0.0, 100.0);
        let class = if effect.is_large() { " over-it" } else { "" };
        let unit = if effect.name == "wasserstein" { " sd" } else { "" };
        format!(
            r#"<span>{value}</span><span class="bullet{class}" aria-hidden="true"><i style="width:{filled:.1}%"></i><b></b></span><small>{name}, from {threshold}{unit}</small>"#,
            threshold = number(effect.threshold),
            name = measure(&effect.name),
        )
    });
    let p = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), p_value);
    format!(
        r#"<td class="num" data-label="Effect size">{effect}</td><td class="num" data-label="p-value">{}</td><td class="num" data-label="Adjusted p">{}</td>"#,
        p(column.p_value),
        p(column.adjusted_p_value),
    )
}

fn evidently_cells(column: &ColumnReport) -> String {
    let value = match (column.score, column.score_kind) {
        (Some(score), Some(ScoreKind::PValue)) => format!("p {}", p_value(score)),
        (Some(score), _) => number(score),
        (None, _) => "–".to_owned(),
    };
    let name = column.method.as_deref().map_or("", measure);
    let threshold = column.effect_size.as_ref().map(|effect| effect.threshold).or(column.threshold);
    format!(
        r#"<td class="num" data-label="Score">{value}<small>{}</small></td><td class="num" data-label="Threshold">{}</td>"#,
        escape(name),
        threshold.map_or_else(|| "–".to_owned(), number)
    )
}

/// A method's name for a reader.
pub(crate) fn measure(name: &str) -> &str {
    match name {
        "wasserstein" => "Wasserstein",
        "jensenshannon" => "Jensen–Shannon",
        "roc_auc" => "ROC AUC",
        "ks" => "Kolmogorov–Smirnov",
        "chisquare" => "chi-square",
        "z" => "two proportions",
        other => other,
    }
}

fn detail(column: &ColumnReport) -> String {
    let mut html = String::from(r#"<div class="detail">"#);
    match &column.distribution {
        Some(Distribution::Categories { labels, reference, current, .. }) => {
            html = html + "<div>" + &chart::categories(labels, reference, current) + "</div>";
        }
        Some(histogram) => html = html + "<div>" + &chart::large(histogram, &column.name) + "</div>",
        None => {}
    }
    html += "<div>";
    html += &sides(column);
    if !column.notes.is_empty() {
        html += "<ul>";
        for note in &column.notes {
            let _ = write!(html, "<li>{}</li>", escape(note));
        }
        html += "</ul>";
    }
    html + "</div></div>"
}

/// Both sides in numbers, and the tests that were done.
fn sides(column: &ColumnReport) -> String {
    let mut html = String::from(
        r#"<table><thead><tr><th scope="col"><span class="sr">Statistic</span></th><th scope="col">Reference</th><th scope="col">Current</th></tr></thead><tbody>"#,
    );
    let mut row = |label: &str, of: &dyn Fn(&SideSummary) -> Option<String>| {
        let [reference, current] =
            [&column.reference, &column.current].map(|side| side.as_ref().and_then(of));
        if let (Some(reference), Some(current)) = (reference, current) {
            let _ = write!(
                html,
                r#"<tr><th scope="row">{label}</th><td>{reference}</td><td>{current}</td></tr>"#
            );
        }
    };
    row("Rows", &|side| Some(grouped(side.rows as i64)));
    row("Missing", &|side| (side.rows > 0).then(|| percent(side.missing as f64 / side.rows as f64)));
    row("Distinct", &|side| side.distinct.map(|n| grouped(n as i64)));
    row("Mean", &|side| side.numeric.as_ref().map(|n| number(n.mean)));
    row("Standard deviation", &|side| side.numeric.as_ref().map(|n| number(n.std)));
    row("Minimum", &|side| side.numeric.as_ref().map(|n| number(n.min)));
    row("25 %", &|side| side.numeric.as_ref().map(|n| number(n.q25)));
    row("Median", &|side| side.numeric.as_ref().map(|n| number(n.q50)));
    row("75 %", &|side| side.numeric.as_ref().map(|n| number(n.q75)));
    row("Maximum", &|side| side.numeric.as_ref().map(|n| number(n.max)));
    html += "</tbody></table>";
    html + &tests(column)
}

/// What was tested by what, a line each.
fn tests(column: &ColumnReport) -> String {
    let mut lines = Vec::new();
    let named = |name: &str| match about(name) {
        Some(about) => format!("{} ({})", escape(measure(name)), escape(about)),
        None => escape(measure(name)),
    };
    let p = |p: Option<f64>| p.map_or_else(|| "not computed".to_owned(), p_value);
    let adjusted = |p: Option<f64>| p.map_or_else(String::new, |p| format!(", adjusted {}", p_value(p)));
    if let (Some(method), Some(ScoreKind::PValue)) = (&column.method, column.score_kind) {
        let adjusted = adjusted(column.adjusted_p_value);
        lines.push(format!("Test: {}, p {}{adjusted}", named(method), p(column.p_value)));
    }
    if let Some(effect) = &column.effect_size {
        let value = effect.value.map_or_else(|| "not finite".to_owned(), number);
        lines.push(format!(
            "Size: {}, {value}, large from {}",
            named(&effect.name),
            number(effect.threshold)
        ));
    }
    if let Some(missing) = &column.missing
        && missing.p_value.is_some()
    {
        lines.push(format!(
            "Missing share: p {}{}, large from a change of {}",
            p(missing.p_value),
            adjusted(missing.adjusted_p_value),
            percent(missing.threshold)
        ));
    }
    let mut html = String::from("<ul>");
    for line in lines {
        let _ = write!(html, "<li>{line}</li>");
    }
    html + "</ul>"
}

/// What a test or a measure is, in a few words.
fn about(name: &str) -> Option<&'static str> {
    match name {
        "rank_tests" => Some("location, scale and shape by ranks; three times the smallest p-value"),
        "chi2_contingency" => {
            Some("two-sample chi-square; exact or by permutation where categories are rare")
        }
        "domain_classifier" => Some("a classifier trained on one half of the rows, judged on the other"),
        "roc_auc" => Some("how well a classifier tells the sides apart; 0.5 is chance"),
        // The rest of the line is about Evidently's defaults.
        other => Method::find(other).ok().and_then(|method| method.doc.split(';').next()),
    }
}
