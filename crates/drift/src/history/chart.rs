//! Drawings of one number over the months, as inline SVG. Every number in them is also in a table.

use std::fmt::Write as _;

use crate::html::{Size, escape, framed};

/// Share of the width left free beside the first and the last point.
const INSET: f64 = 0.05;

/// One month of a drawing. Levels are 0 at the bottom and 1 at the top; others are drawn at the nearer end.
pub(super) struct Point {
    pub(super) level: f64,
    pub(super) mark: Mark,
    /// Lower and upper end of an interval.
    pub(super) whisker: Option<[f64; 2]>,
    /// What a pointer is told.
    pub(super) title: String,
}

/// Told apart by shape as well as by colour.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A ring.
    Calm,
    /// A full triangle.
    Alarm,
    /// A full disc.
    Changed,
    /// A cross at the bottom: no number.
    Broken,
}

/// What is drawn.
pub(super) struct Plot<'a> {
    pub(super) size: Size,
    /// One per month, none where there is nothing to tell; the line has a gap there.
    pub(super) points: &'a [Option<Point>],
    /// Level of the dashed line.
    pub(super) limit: f64,
    /// What a screen reader is told.
    pub(super) title: String,
}

/// Distance of a month from the left, 0 to 1; a month alone is in the middle.
pub(super) fn across(month: usize, months: usize) -> f64 {
    if months < 2 { 0.5 } else { INSET + (1.0 - 2.0 * INSET) * month as f64 / (months - 1) as f64 }
}

/// The line through the months, their marks and the limit.
pub(super) fn draw(plot: &Plot) -> String {
    let Size { width, height } = plot.size;
    let x = |month: usize| across(month, plot.points.len()) * width;
    let y = |level: f64| height - level.clamp(0.0, 1.0) * height;
    let mut body = format!(r#"<path class="limit" d="M0 {:.1}H{width}"/>"#, y(plot.limit));
    let (mut line, mut marks, mut pen) = (String::new(), String::new(), 'M');
    for (month, point) in plot.points.iter().enumerate() {
        let Some(point) = point else {
            pen = 'M';
            continue;
        };
        let (x, y_here) = (x(month), if point.mark == Mark::Broken { height } else { y(point.level) });
        if let Some([low, high]) = point.whisker {
            let _ = write!(marks, r#"<path class="whisker" d="M{x:.1} {:.1}V{:.1}"/>"#, y(low), y(high));
        }
        marks += &mark(point, x, y_here);
        if point.mark == Mark::Broken {
            pen = 'M';
        } else {
            let _ = write!(line, "{pen}{x:.1} {y_here:.1}");
            pen = 'L';
        }
    }
    let _ = write!(body, r#"<path class="trend" d="{line}"/>{marks}"#);
    framed(plot.size, 6.0, &plot.title, &body)
}

fn mark(point: &Point, x: f64, y: f64) -> String {
    let title = escape(&point.title);
    let shape =
        |class: &str, d: String| format!(r#"<path class="{class}" d="{d}"><title>{title}</title></path>"#);
    let disc = |class: &str| {
        format!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="2.8"><title>{title}</title></circle>"#)
    };
    match point.mark {
        Mark::Calm => disc("ring"),
        Mark::Changed => disc("disc"),
        Mark::Alarm => shape("peak", format!("M{x:.1} {:.1}l4.4 7.6h-8.8z", y - 5.0)),
        Mark::Broken => shape("cross", format!("M{:.1} {:.1}l5 5m0-5l-5 5", x - 2.5, y - 2.5)),
    }
}
