//! Histories of small fixed months: snapshots, schema, size, and what does not matter.

#![allow(clippy::unwrap_used)]

mod schema;

use proptest::prelude::*;
use schema::violations;
use serde_json::Value;
use streamflow_drift::{
    Column, ConfidenceInterval, DriftSettings, History, Report, RuleSet, Status, compare,
};

fn wave(name: &str, make: impl Fn(f64) -> f64) -> Column {
    Column::float(name, (0..100).map(|i| make(f64::from(i * 7919 % 100) / 100.0)).collect())
}

/// A month: `shift` moves a number, `holes` of a hundred values are missing, `positive` labels of a hundred are.
fn table(shift: f64, holes: i32, positive: usize) -> Vec<Column> {
    vec![
        Column::text("id", &(0..100).map(|i| Some(format!("U{i}"))).collect::<Vec<_>>()),
        wave("shifted", |x| x + shift),
        wave("still", |x| x * x),
        wave("holes", |x| if ((x * 100.0).round() as i32) < holes { f64::NAN } else { x }),
        Column::boolean("label", (0..100).map(|i| Some(i < positive)).collect()),
    ]
}

fn settings(profile: RuleSet, current: &str) -> DriftSettings {
    DriftSettings {
        profile,
        entity: vec!["id".into()],
        target: Some("label".into()),
        reference_name: "2024-01-31".into(),
        current_name: current.into(),
        ..DriftSettings::default()
    }
}

/// A quiet month, one with a column more, one with a column less and nothing in another, one that drifts.
fn reports(profile: RuleSet) -> Vec<Report> {
    let reference = table(0.0, 2, 30);
    let mut more = table(0.1, 2, 35);
    more.push(wave("<b>new</b>", |x| x));
    let mut less = table(0.2, 100, 30);
    less.retain(|column| column.name != "still");
    let months = [
        ("2024-02-29", table(0.0, 2, 28)),
        ("2024-03-31", more),
        ("2024-04-30", less),
        ("2024-05-31", table(0.9, 40, 60)),
    ];
    months.map(|(name, month)| compare(&reference, &month, &settings(profile, name)).unwrap()).into()
}

#[test]
fn histories_are_as_they_were() {
    for profile in [RuleSet::Calibrated, RuleSet::Evidently] {
        let history = History::new(&reports(profile)).unwrap();
        let name = profile.as_str();
        insta::assert_snapshot!(format!("{name}.json"), history.to_json());
        insta::assert_snapshot!(format!("{name}.html"), history.to_html());
        insta::assert_snapshot!(format!("{name}.md"), history.to_markdown());
    }
}

#[test]
fn what_came_or_went_or_could_not_be_tested_is_told_apart() {
    let history = History::new(&reports(RuleSet::Calibrated)).unwrap();
    let statuses = |name: &str| -> Vec<Option<Status>> {
        let column = history.columns.iter().find(|column| column.name == name).unwrap();
        column.months.iter().map(|month| month.as_ref().map(|month| month.status)).collect()
    };
    let (tested, broken) = (Some(Status::Tested), Some(Status::NotComputable));
    assert_eq!(statuses("<b>new</b>"), [None, broken, None, None]);
    assert_eq!(statuses("still"), [tested, tested, broken, tested]);
    // A month in which all values are missing cannot be tested, and counts as drifted.
    assert_eq!(statuses("holes"), [tested, tested, broken, tested]);
    assert_eq!(statuses("id"), [Some(Status::Ignored); 4]);
    let order: Vec<&str> = history.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(order, ["shifted", "holes", "label", "still", "<b>new</b>", "id"]);
    let drifted: Vec<&str> = history.drifted_in(3).map(|column| column.name.as_str()).collect();
    assert_eq!(drifted, ["shifted", "holes", "label"]);
    assert_eq!(history.drifted_in(9).count(), 0);
}

#[test]
fn one_month_and_no_column_are_histories() {
    let one = History::new(&reports(RuleSet::Calibrated)[..1]).unwrap();
    assert!(one.to_html().contains("No retraining in the only month"));
    let none = [Column::float("x", vec![f64::NAN])];
    let empty = compare(&none, &none, &DriftSettings::default()).unwrap();
    let html = History::new(&[empty]).unwrap().to_html();
    assert!(html.contains("No retraining in the only file") && !html.contains("NaN"), "{html}");
}

#[test]
fn what_is_named_as_a_date_is_a_month_and_else_a_file() {
    let x = [wave("x", |x| x)];
    for (names, unit, heading) in [
        (["2024-02-29", "2024-03-31"], "month", "Month"),
        (["2024-02", "2024-03"], "month", "Month"),
        (["2024-02-29", "march.csv"], "file", "File"),
        (["drops/2024-02-29.csv", "drops/2024-03-31.csv"], "file", "File"),
    ] {
        let report = |name: &str| compare(&x, &x, &settings(RuleSet::Calibrated, name)).unwrap();
        let history = History::new(&names.map(report)).unwrap();
        assert_eq!(history.unit(), unit, "{names:?}");
        let headline = format!("No retraining in 2 {unit}s");
        let (html, markdown) = (history.to_html(), history.to_markdown());
        assert!(
            html.contains(&headline) && html.contains(&format!("<th scope=\"col\">{heading}</th>")),
            "{html}"
        );
        assert!(
            markdown.contains(&headline) && markdown.contains(&format!("| {heading} | Rows")),
            "{markdown}"
        );
        let other = if unit == "file" { " month</" } else { " file</" };
        assert!(!html.contains(other), "{html}");
    }
}

#[test]
fn two_years_of_fifteen_columns_fit_in_a_small_page() {
    let table = |shift: f64| -> Vec<Column> {
        let mut table: Vec<Column> =
            (0..14).map(|i| wave(&format!("a_rather_long_column_name_{i}"), |x| x + shift)).collect();
        table.push(Column::boolean("label", (0..100).map(|i| Some(i < 30)).collect()));
        table
    };
    let reports: Vec<Report> = (0..24)
        .map(|i| {
            let name = format!("20{:02}-{:02}-28", 24 + i / 12, i % 12 + 1);
            compare(&table(0.0), &table(f64::from(i) / 30.0), &settings(RuleSet::Calibrated, &name)).unwrap()
        })
        .collect();
    let html = History::new(&reports).unwrap().to_html();
    assert!(html.len() <= 250_000, "{} bytes", html.len());
    for outside in ["http:", "https:", "url(", "@import", "src="] {
        assert!(!html.contains(outside), "{outside} in the page");
    }
}

#[test]
fn json_is_as_its_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/history-schema.json")).unwrap();
    for profile in [RuleSet::Calibrated, RuleSet::Evidently] {
        let mut json: Value =
            serde_json::from_str(&History::new(&reports(profile)).unwrap().to_json()).unwrap();
        assert_eq!(violations(&schema, &schema, &json, ""), Vec::<String>::new());
        json["columns"][0]["months"][0]["effect_size"] = Value::from("large");
        json["months"][0]["decision"] = Value::from("MAYBE");
        assert_eq!(violations(&schema, &schema, &json, "").len(), 2);
    }
}

#[test]
fn hostile_names_stay_text() {
    let evil = "<script>alert('x')</script>\"&";
    let x = |shift: f64| [wave(evil, |x| x + shift)];
    let settings =
        DriftSettings { reference_name: evil.into(), current_name: evil.into(), ..DriftSettings::default() };
    let html = History::new(&[compare(&x(0.0), &x(9.0), &settings).unwrap()]).unwrap().to_html();
    assert_eq!(html.matches("<script").count(), 1, "only the page's own script");
    assert!(!html.contains("alert('x')"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_the_reports_does_not_matter(order in Just((0..4).collect::<Vec<usize>>()).prop_shuffle()) {
        let reports = reports(RuleSet::Calibrated);
        let shuffled: Vec<Report> = order.iter().map(|&i| reports[i].clone()).collect();
        prop_assert_eq!(History::new(&shuffled).unwrap().to_html(), History::new(&reports).unwrap().to_html());
    }

    /// The largest ratio orders columns: a column that moved farther never comes after one that moved less.
    #[test]
    fn columns_that_moved_farther_come_first(shifts in prop::collection::vec(0.0_f64..3.0, 1..6)) {
        let table = |shifts: &[f64]| -> Vec<Column> {
            shifts.iter().enumerate().map(|(i, shift)| wave(&format!("x{i}"), |x| x + shift)).collect()
        };
        let reference = table(&vec![0.0; shifts.len()]);
        let report = compare(&reference, &table(&shifts), &DriftSettings::default()).unwrap();
        let history = History::new(&[report]).unwrap();
        let sizes: Vec<f64> = history.columns.iter()
            .map(|column| column.months[0].as_ref().unwrap().effect_size.as_ref().unwrap().value.unwrap())
            .collect();
        prop_assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }

    /// The interval holds the difference and stays within what a difference of rates can be.
    #[test]
    fn the_interval_of_the_target_holds_the_difference(positive in 0_usize..=100) {
        let month = |positive| [Column::boolean("label", (0..100).map(|i| Some(i < positive)).collect())];
        let report = compare(&month(30), &month(positive), &settings(RuleSet::Calibrated, "2024-02-29")).unwrap();
        let target = report.target_drift.unwrap();
        let ConfidenceInterval { low, high, .. } = target.change_interval;
        let change = target.current_rate - target.reference_rate;
        prop_assert!(-1.0 <= low && low <= change && change <= high && high <= 1.0, "{target:?}");
    }
}
