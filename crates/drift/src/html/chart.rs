//! Drawings of two distributions over the same bins, as inline SVG.

use std::fmt::Write as _;

use super::escape;
use crate::format::{number, percent};
use crate::report::Distribution;

/// Size of a drawing in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Width of the frame.
    pub width: f64,
    /// Height of the frame, without what stands below it.
    pub height: f64,
}

/// The drawing in a row of the table.
pub(super) fn small(distribution: &Distribution, what: &str) -> String {
    let size = Size { width: 190.0, height: 46.0 };
    let title = format!("Distribution of {what}, reference and current");
    framed(size, 0.0, &title, &curves(distribution, size))
}

/// The drawing in the details, with an axis; categories have a table instead.
pub(super) fn large(distribution: &Distribution, what: &str) -> String {
    let Distribution::Histogram { of, edges, .. } = distribution else { return String::new() };
    let size = Size { width: 560.0, height: 170.0 };
    // A report that was read back may say anything.
    let Some(last) = edges.len().checked_sub(1).filter(|last| *last > 0) else { return String::new() };
    let mut body = curves(distribution, size);
    for (i, anchor) in [(0, "start"), (last / 2, "middle"), (last, "end")] {
        let x = size.width * i as f64 / last as f64;
        let label = escape(&number(edges[i]));
        let _ =
            write!(body, r#"<text class="tick" x="{x:.0}" y="188" text-anchor="{anchor}">{label}</text>"#);
    }
    let unit = if of == "length" { "text length in characters" } else { "value" };
    framed(size, 24.0, &format!("Histogram of {what} by {unit}, reference and current"), &body)
}

/// An image with its title and a line at `height`; `below` are pixels under that line.
#[must_use]
pub fn framed(Size { width, height }: Size, below: f64, title: &str, body: &str) -> String {
    format!(
        r#"<svg role="img" width="{width}" height="{full}" viewBox="0 0 {width} {full}"><title>{title}</title>{body}<path class="axis" d="M0 {height}H{width}"/></svg>"#,
        full = height + below,
        title = escape(title),
    )
}

/// Shares, not counts: the sides may differ in size. The higher peak fills the height.
fn curves(distribution: &Distribution, size: Size) -> String {
    let (reference, current) = match distribution {
        Distribution::Histogram { reference, current, .. }
        | Distribution::Categories { reference, current, .. } => (shares(reference), shares(current)),
    };
    let peak = reference.iter().chain(&current).fold(0.0, |a: f64, &b| a.max(b));
    let gap = matches!(distribution, Distribution::Categories { .. });
    let reference_steps = steps(&reference, peak, size, gap);
    format!(
        r#"<path class="r-area" d="{reference_steps}"/><path class="r-line" d="{reference_steps}"/><path class="c-line" d="{}"/>"#,
        steps(&current, peak, size, gap)
    )
}

/// A step line from the axis and back; categories stand apart.
fn steps(shares: &[f64], peak: f64, Size { width, height }: Size, gap: bool) -> String {
    let step = width / shares.len().max(1) as f64;
    let inset = if gap { (step * 0.12).min(10.0) } else { 0.0 };
    let mut path = format!("M0 {height}");
    let y = |share: f64| if peak > 0.0 { height - share / peak * (height - 2.0) } else { height };
    for (i, &share) in shares.iter().enumerate() {
        let (left, right) = (i as f64 * step + inset, (i + 1) as f64 * step - inset);
        let _ = write!(path, "H{left:.1}V{:.1}H{right:.1}", y(share));
        if gap {
            let _ = write!(path, "V{height}");
        }
    }
    let _ = write!(path, "V{height}H{width}");
    path
}

/// Label, share on each side, and the same as bars.
pub(super) fn categories(labels: &[String], reference: &[u64], current: &[u64]) -> String {
    let (reference, current) = (shares(reference), shares(current));
    let peak = reference.iter().chain(&current).fold(f64::MIN_POSITIVE, |a, &b| a.max(b));
    let mut table = String::from(
        r#"<table class="bars"><thead><tr><th scope="col">Value</th><th scope="col">Reference</th><th scope="col">Current</th><th scope="col"><span class="sr">Bars</span></th></tr></thead><tbody>"#,
    );
    for ((label, r), c) in labels.iter().zip(&reference).zip(&current) {
        let _ = write!(
            table,
            r#"<tr><th scope="row"><bdi>{}</bdi></th><td>{}</td><td>{}</td><td aria-hidden="true"><span class="bar r" style="width:{:.1}%"></span><span class="bar c" style="width:{:.1}%"></span></td></tr>"#,
            escape(label),
            percent(*r),
            percent(*c),
            r / peak * 100.0,
            c / peak * 100.0,
        );
    }
    table + "</tbody></table>"
}

fn shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>().max(1) as f64;
    counts.iter().map(|&n| n as f64 / total).collect()
}
