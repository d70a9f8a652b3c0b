//! Writes a report and a history on made-up months as HTML, JSON and Markdown:
//! `cargo run --example report -- DIRECTORY [PROFILE]`.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;

use streamflow_drift::{Column, DriftSettings, History, RuleSet, compare};

/// A fixed sequence in [0, 1).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }

    fn pick<'a>(&mut self, labels: &[(&'a str, f64)]) -> Option<&'a str> {
        let mut left = self.next();
        labels
            .iter()
            .find(|(_, share)| {
                left -= share;
                left < 0.0
            })
            .map(|(label, _)| *label)
    }
}

/// `strength` is 0 for the reference and 1 for a month in which much has changed.
fn month(rows: usize, seed: u64, strength: f64) -> Vec<Column> {
    let mut draw = Uniform(seed);
    let by = |change: f64| change * strength;
    let later = strength >= 1.0;
    let mut floats = |name: &str, make: &mut dyn FnMut(&mut Uniform) -> f64| {
        Column::float(name, (0..rows).map(|_| make(&mut draw)).collect())
    };
    let mut columns = vec![
        floats("watch_hours_30d", &mut |d| (29.0 + by(0.6) + 6.6 * d.normal()).max(0.0)),
        floats("rebuffer_events_7d", &mut |d| (2.3 + by(0.9) + 1.5 * d.normal()).max(0.0).round()),
        floats("monthly_fee", &mut |d| {
            if d.next() < 0.3 { 20.0 + d.normal() } else { 80.0 + 15.0 * d.normal() }
        }),
        floats("session_minutes", &mut |d| (3.0 + 0.6 * d.normal() * (1.0 + by(0.5))).exp()),
        floats("days_since_login", &mut |d| {
            if d.next() < 0.1 + by(0.15) { f64::NAN } else { (-8.0 * d.next().ln()).floor() }
        }),
        floats("support_tickets_90d", &mut |d| (d.next() * d.next() * 4.0).floor()),
        floats("legacy_score", &mut |_| if later { f64::NAN } else { 1.0 }),
        floats("fixed_rate", &mut |_| 0.25),
    ];
    let shares = |a, b, c| [("Fiber optic", a), ("DSL", b), ("No", c)];
    let mut labels = |name: &str, shares: &[(&str, f64)]| {
        Column::text(name, &(0..rows).map(|_| draw.pick(shares)).collect::<Vec<_>>())
    };
    let service = shares(0.44 + by(0.14), 0.34 - by(0.08), 0.22 - by(0.06));
    columns.push(labels("net_service", &service));
    columns
        .push(labels("contract_type", &[("Month-to-month", 0.55), ("One year", 0.21), ("Two year", 0.24)]));
    let device = if later {
        [("tv", 0.5), ("phone", 0.4), ("console", 0.08), ("headset", 0.02)]
    } else {
        [("tv", 0.5), ("phone", 0.42), ("console", 0.08), ("headset", 0.0)]
    };
    columns.push(labels("main_device", &device));
    let mut truths = |name: &str, share: f64| {
        Column::boolean(name, (0..rows).map(|_| Some(draw.next() < share)).collect())
    };
    columns.push(truths("paperless_billing", 0.59));
    columns.push(truths("churn_label", 0.265 - by(0.024)));
    let words = |d: &mut Uniform| {
        [
            "slow",
            "stream",
            "billing",
            "price",
            "app",
            "login",
            "picture",
            if later { "refund" } else { "thanks" },
        ][(d.next() * 8.0) as usize]
    };
    let comments: Vec<Option<String>> =
        (0..rows).map(|_| Some((0..6).map(|_| words(&mut draw)).collect::<Vec<_>>().join(" "))).collect();
    columns.push(Column::text("last_comment", &comments));
    columns.push(Column::text("user_id", &(0..rows).map(|i| Some(format!("U{i:05}"))).collect::<Vec<_>>()));
    columns
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().ok_or("expected a directory to write to")?);
    let profile: RuleSet = arguments.next().as_deref().unwrap_or("calibrated").parse()?;
    let reference = month(7043, 1, 0.0);
    let settings = |current: &str| DriftSettings {
        profile,
        entity: vec!["user_id".into()],
        target: Some("churn_label".into()),
        reference_name: "2024-01-31".into(),
        current_name: current.into(),
        ..DriftSettings::default()
    };
    let report = compare(&reference, &month(6890, 2, 1.0), &settings("2024-02-29"))?;
    let months = [
        ("2024-02-29", 0.0),
        ("2024-03-31", 0.1),
        ("2024-04-30", 0.3),
        ("2024-05-31", 0.6),
        ("2024-06-30", 1.0),
        ("2024-07-31", 1.4),
        ("2024-08-31", 0.5),
    ];
    let mut reports = Vec::new();
    for (seed, (name, strength)) in (2..).zip(months) {
        reports.push(compare(&reference, &month(7000, seed, strength), &settings(name))?);
    }
    let history = History::new(&reports)?;
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("drift.html"), report.to_html())?;
    std::fs::write(dir.join("drift.json"), report.to_json())?;
    std::fs::write(dir.join("drift.md"), report.to_markdown())?;
    std::fs::write(dir.join("history.html"), history.to_html())?;
    std::fs::write(dir.join("history.json"), history.to_json())?;
    std::fs::write(dir.join("history.md"), history.to_markdown())?;
    println!(
        "{} of {} columns drifted, {}",
        report.drifted_columns,
        report.tested_columns,
        report.decision.as_str()
    );
    Ok(())
}
