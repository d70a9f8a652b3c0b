//! The history as one HTML file, in the style of the report: no network, readable without JavaScript.

use super::chart::{self, Mark, Plot, Point, across};
use super::{History, Month, panels, tables};
use crate::format::{count, percent, points};
use crate::html::{Size, escape, page, reading};
use crate::report::{Decision, TargetDrift};

const STYLE: &str = include_str!("style.css");
const WIDE: Size = Size { width: 480.0, height: 150.0 };
/// With more months than this, only the last and the highest number are written into a drawing.
const LABELLED: usize = 8;

impl History {
    /// The history as a self-contained HTML page.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = format!("Drift of {} against {}", self.span(), self.reference.name);
        let main = [
            self.over_time(),
            panels::columns(self),
            tables::months(self),
            tables::columns(self),
            reading(self.profile),
        ];
        page(&title, STYLE, &self.verdict(), &main.concat())
    }

    /// The name of the month, or of the first and the last.
    pub(super) fn span(&self) -> String {
        let name = |month: Option<&Month>| month.map_or("", |month| &month.current.name).to_owned();
        let (first, last) = (name(self.months.first()), name(self.months.last()));
        if self.months.len() < 2 { last } else { format!("{first} to {last}") }
    }

    /// What is compared with the reference, as a heading has it.
    pub(super) fn unit_heading(&self) -> &'static str {
        match self.unit() {
            "month" => "Month",
            "snapshot" => "Snapshot",
            _ => "File",
        }
    }

    /// How often retraining was due, as a sentence.
    pub(super) fn headline(&self) -> String {
        let unit = self.unit();
        match (self.triggered().count(), self.months.len()) {
            (0, 1) => format!("No retraining in the only {unit}"),
            (1, 1) => format!("Retraining is due after the only {unit}"),
            (0, all) => format!("No retraining in {all} {unit}s"),
            (some, all) if some == all => format!("Retraining was due in all {all} {unit}s"),
            (some, all) => format!("Retraining was due in {some} of {all} {unit}s"),
        }
    }

    fn verdict(&self) -> String {
        let Some(last) = self.months.last() else { return String::new() };
        let (class, relation) = match last.decision {
            Decision::NoAction => ("calm", "below"),
            Decision::RetrainingTriggered => ("alarm", "at or over"),
        };
        let first_due = self
            .triggered()
            .next()
            .map_or_else(String::new, |month| format!(" First due in {}.", name(&month.current.name)));
        format!(
            r#"<p class="over"><bdi>{span}</bdi> against <bdi>{reference}</bdi></p><h1>{headline}</h1>
<div class="verdict"><div><p class="decision {class}">{decision}</p><p>{last_name}, the last {unit}: {share} of the columns that count drifted, {relation} the threshold of {threshold}.{first_due}</p></div><dl><dt>Reference</dt><dd><bdi>{reference}</bdi>, {rows}</dd><dt>{heading}s</dt><dd>{months}</dd><dt>Most often drifted</dt><dd>{often}</dd><dt>Profile</dt><dd>{profile}</dd></dl></div>"#,
            span = escape(&self.span()),
            reference = escape(&self.reference.name),
            headline = self.headline(),
            decision = last.decision.as_str(),
            last_name = name(&last.current.name),
            share = percent(last.drift_share),
            threshold = percent(self.drift_share_threshold),
            rows = count(self.reference.rows as u64, "row"),
            unit = self.unit(),
            heading = self.unit_heading(),
            months = self.months.len(),
            often = self.most_often(),
            profile = self.profile.as_str(),
        )
    }

    fn most_often(&self) -> String {
        let mut columns: Vec<_> = self.columns.iter().filter(|column| column.drifted_months() > 0).collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column.drifted_months()));
        let named: Vec<String> = columns
            .iter()
            .take(3)
            .map(|column| {
                let months = count(column.drifted_months() as u64, self.unit());
                format!("<bdi>{}</bdi> ({months})", escape(&column.name))
            })
            .collect();
        if named.is_empty() { "no column".to_owned() } else { named.join(", ") }
    }

    /// Share and target rate, month by month.
    fn over_time(&self) -> String {
        format!(
            r#"<section aria-labelledby="time"><h2 id="time">Over time</h2><div class="pair">{}{}</div></section>"#,
            self.share(),
            self.target(),
        )
    }

    fn share(&self) -> String {
        let highest = self.months.iter().map(|month| month.drift_share).fold(0.0, f64::max);
        let top = (highest.max(self.drift_share_threshold) * 1.2).clamp(0.05, 1.0);
        let point = |month: &Month| {
            let mark = match month.decision {
                Decision::NoAction => Mark::Calm,
                Decision::RetrainingTriggered => Mark::Alarm,
            };
            let title = format!(
                "{}: {}, {}",
                month.current.name,
                percent(month.drift_share),
                month.decision.as_str()
            );
            Some(Point { level: month.drift_share / top, mark, whisker: None, title })
        };
        let points: Vec<Option<Point>> = self.months.iter().map(point).collect();
        let threshold = percent(self.drift_share_threshold);
        let title = format!(
            "Share of drifted columns by {unit}, threshold {threshold}. {}, highest {}. The numbers are in the table of {unit}s.",
            self.headline(),
            percent(highest),
            unit = self.unit(),
        );
        let labels: Vec<String> = self.months.iter().map(|month| percent(month.drift_share)).collect();
        self.figure(
            "Share of drifted columns",
            &format!("╌ threshold {threshold}  ▲ retraining due  ○ no action"),
            Plot { size: WIDE, points: &points, limit: self.drift_share_threshold / top, title },
            &labels,
        )
    }

    fn target(&self) -> String {
        let known: Vec<&TargetDrift> =
            self.months.iter().filter_map(|month| month.target_drift.as_ref()).collect();
        let Some(first) = known.first() else { return String::new() };
        let ends = |target: &TargetDrift| {
            let interval = &target.change_interval;
            [interval.low, interval.high].map(|end| (target.reference_rate + end).clamp(0.0, 1.0))
        };
        let all =
            || known.iter().flat_map(|&t| [t.current_rate, t.reference_rate].into_iter().chain(ends(t)));
        let (low, high) = (all().fold(1.0, f64::min), all().fold(0.0, f64::max));
        let pad = ((high - low) * 0.15).max(0.005);
        let (bottom, top) = ((low - pad).max(0.0), (high + pad).min(1.0));
        let level = |rate: f64| (rate - bottom) / (top - bottom);
        let point = |month: &Month| {
            let target = month.target_drift.as_ref()?;
            let interval = &target.change_interval;
            let mark = if interval.excludes_zero() { Mark::Changed } else { Mark::Calm };
            let title = format!(
                "{}: {}, difference {} to {} points",
                month.current.name,
                percent(target.current_rate),
                points(interval.low),
                points(interval.high)
            );
            Some(Point {
                level: level(target.current_rate),
                mark,
                whisker: Some(ends(target).map(level)),
                title,
            })
        };
        let drawn: Vec<Option<Point>> = self.months.iter().map(point).collect();
        let changed = known.iter().filter(|target| target.change_interval.excludes_zero()).count();
        let (reference, unit) = (percent(first.reference_rate), self.unit());
        let title = format!(
            "Positive rate of {} by {unit}, {reference} in the reference. Beyond chance in {changed} of {}. The numbers are in the table of {unit}s.",
            first.column,
            count(known.len() as u64, unit)
        );
        let rate = |month: &Month| month.target_drift.as_ref().map(|target| percent(target.current_rate));
        let labels: Vec<String> = self.months.iter().map(|month| rate(month).unwrap_or_default()).collect();
        self.figure(
            &format!("Positive rate of <bdi>{}</bdi>", escape(&first.column)),
            &format!("╌ reference {reference}  ● beyond chance  ○ not  │ 95 % interval"),
            Plot { size: WIDE, points: &drawn, limit: level(first.reference_rate), title },
            &labels,
        )
    }

    /// A large drawing with its numbers written beside the marks. `heading` is HTML.
    fn figure(&self, heading: &str, legend: &str, plot: Plot, labels: &[String]) -> String {
        let top = |level: f64| (1.0 - level.clamp(0.0, 1.0)) * WIDE.height / (WIDE.height + 6.0) * 100.0;
        let mut marks = String::new();
        let highest = (0..plot.points.len())
            .max_by(|&a, &b| level(&plot.points[a]).total_cmp(&level(&plot.points[b])).then(b.cmp(&a)));
        for (month, label) in labels.iter().enumerate() {
            let Some(point) = &plot.points[month] else { continue };
            if labels.len() <= LABELLED || month + 1 == labels.len() || Some(month) == highest {
                let left = across(month, labels.len()) * 100.0;
                let above = point.whisker.map_or(point.level, |[_, high]| high);
                marks += &format!(
                    r#"<span class="value" style="left:{left:.1}%;top:{:.1}%">{label}</span>"#,
                    top(above)
                );
            }
        }
        format!(
            r#"<figure class="wide"><figcaption><h3>{heading}</h3><small>{legend}</small></figcaption><div class="plot">{}<div aria-hidden="true">{marks}</div></div>{}</figure>"#,
            chart::draw(&plot),
            self.scale(),
        )
    }

    /// The names of the first and the last month, under a drawing.
    pub(super) fn scale(&self) -> String {
        let name = |month: &Month| name(&end_of(&month.current.name));
        match self.months.as_slice() {
            [] => String::new(),
            [only] => format!(r#"<p class="scale alone">{}</p>"#, name(only)),
            [first, .., last] => {
                format!(r#"<p class="scale"><span>{}</span><span>{}</span></p>"#, name(first), name(last))
            }
        }
    }
}

fn level(point: &Option<Point>) -> f64 {
    point.as_ref().map_or(-1.0, |point| point.level)
}

/// The name of a month; one as short as a date is not broken over lines.
pub(super) fn name(name: &str) -> String {
    let class = if name.chars().count() <= 20 { r#" class="whole""# } else { "" };
    format!("<bdi{class}>{}</bdi>", escape(name))
}

/// A name that fits below a drawing: a date whole, the end of a path.
fn end_of(name: &str) -> String {
    let letters = name.chars().count();
    if letters <= 12 {
        name.to_owned()
    } else {
        format!("…{}", name.chars().skip(letters - 11).collect::<String>())
    }
}
