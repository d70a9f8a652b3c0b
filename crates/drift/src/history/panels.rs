//! Small multiples: one drawing per column, the one that came farthest first.

use std::fmt::Write as _;

use super::chart::{self, Mark, Plot, Point};
use super::html::name as name_of;
use super::{ColumnHistory, ColumnMonth, History};
use crate::column::ColumnType;
use crate::format::{number, p_value, percent};
use crate::html::{Size, escape, measure};
use crate::report::Status;

const SMALL: Size = Size { width: 240.0, height: 76.0 };
/// Every drawing reaches at least to this many thresholds, so that those of stable columns have one scale.
const LEAST_TOP: f64 = 2.0;

/// The drawings with the tools to find one.
pub(super) fn columns(history: &History) -> String {
    let tested = || history.columns.iter().enumerate().filter(|(_, column)| column.tested_months() > 0);
    if tested().next().is_none() {
        return String::new();
    }
    let mut types = String::from(r#"<option value="">all</option>"#);
    for kind in [ColumnType::Numerical, ColumnType::Categorical, ColumnType::Text] {
        if tested().any(|(_, column)| column.column_type == kind) {
            let _ = write!(types, "<option>{}</option>", kind.as_str());
        }
    }
    let mut html = format!(
        r#"<section aria-labelledby="columns"><h2 id="columns">Columns</h2>
<div class="tools" hidden><input type="search" placeholder="Find a column" aria-label="Find a column"><label>Type <select>{types}</select></label><label><input type="checkbox"> ever drifted only</label><output></output></div>
<p class="key">Difference from <bdi>{}</bdi> by {unit}, the largest relative to its threshold first. The dashed line is the threshold; drawings are scaled each for itself. ▲ drifted, ○ stable, × not computable.</p><div class="multiples">"#,
        escape(&history.reference.name),
        unit = history.unit(),
    );
    for (place, column) in tested() {
        html += &panel(history, place, column);
    }
    html + "</div></section>"
}

fn panel(history: &History, place: usize, column: &ColumnHistory) -> String {
    let finite = column.months.iter().flatten().map(ColumnMonth::ratio).filter(|&ratio| ratio < f64::MAX);
    let top = (finite.fold(0.0, f64::max) * 1.08).max(LEAST_TOP);
    let point = |(i, month): (usize, &Option<ColumnMonth>)| {
        let month = month.as_ref()?;
        let mark = match (month.status, month.drifted) {
            (Status::Ignored, _) => return None,
            (Status::NotComputable, true) => Mark::Alarm,
            (Status::NotComputable, false) => Mark::Broken,
            (Status::Tested, true) => Mark::Alarm,
            (Status::Tested, false) => Mark::Calm,
        };
        let title = format!("{}: {}", history.months[i].current.name, words(month));
        Some(Point { level: month.ratio() / top, mark, whisker: None, title })
    };
    let points: Vec<Option<Point>> = column.months.iter().enumerate().map(point).collect();
    let drifted = match column.drifted_months() {
        0 => "Stable".to_owned(),
        some => format!("Drifted in {some} of {}", column.tested_months()),
    };
    let (farthest, when) = column
        .peak()
        .map_or_else(Default::default, |(i, month)| (words(month), history.months[i].current.name.as_str()));
    let (drifted_class, name) =
        (if column.drifted_months() > 0 { "alarm" } else { "calm" }, escape(&column.name));
    let (name_of_column, by) = (&column.name, history.unit());
    let title = format!("{name_of_column} by {by}. {drifted}. Farthest: {farthest}, in {when}.");
    let plot = Plot { size: SMALL, points: &points, limit: 1.0 / top, title };
    format!(
        r##"<figure data-name="{name}" data-type="{kind}" data-drifted="{flag}"><figcaption><a href="#column-{place}"><bdi>{name}</bdi></a><small>{unit}</small></figcaption>{svg}{scale}<p class="sum"><span class="chip {drifted_class}">{drifted}</span><small>farthest: {farthest}, in {when}</small></p></figure>"##,
        kind = column.column_type.as_str(),
        flag = u8::from(column.drifted_months() > 0),
        unit = escape(&unit(column, history.unit())),
        svg = chart::draw(&plot),
        scale = history.scale(),
        farthest = escape(&farthest),
        when = name_of(when),
    )
}

/// The measure and its threshold, of the last month where they change over the months, which `by` calls.
fn unit(column: &ColumnHistory, by: &str) -> String {
    let of = |month: &ColumnMonth| match (&month.effect_size, &month.method, month.threshold) {
        (Some(effect), ..) => {
            Some(format!("{}, large from {}", measure(&effect.name), number(effect.threshold)))
        }
        (None, Some(method), Some(threshold)) => {
            Some(format!("{}, p-value, drifted to {}", measure(method), number(threshold)))
        }
        _ => month
            .missing
            .as_ref()
            .map(|missing| format!("missing values, large from {}", percent(missing.threshold))),
    };
    let tested = column.months.iter().flatten().filter(|month| month.status == Status::Tested);
    let mut units: Vec<String> = tested.filter_map(of).collect();
    let last = units.pop().unwrap_or_default();
    if units.iter().any(|unit| *unit != last) { format!("{last}; differs by {by}") } else { last }
}

/// A month in numbers: what rules it, with what says whether it is chance.
pub(super) fn words(month: &ColumnMonth) -> String {
    if month.status != Status::Tested {
        return month.reason.clone().unwrap_or_else(|| "not tested".to_owned());
    }
    let mut words = Vec::new();
    if let Some(effect) = &month.effect_size {
        words.push(effect.value.map_or_else(|| "not finite".to_owned(), number));
    }
    if let Some(p) = month.adjusted_p_value.or(month.p_value) {
        words.push(format!("p {}", p_value(p)));
    }
    if let Some(missing) = month.missing.as_ref().filter(|missing| missing.drifted) {
        let [from, to] = [missing.reference_share, missing.current_share].map(percent);
        let by_values = month.effect_size.as_ref().is_some_and(|effect| effect.is_large());
        let place = if by_values { words.len() } else { 0 };
        words.insert(place, format!("missing {from} → {to}"));
    }
    if words.is_empty() { "nothing to compare".to_owned() } else { words.join(", ") }
}
