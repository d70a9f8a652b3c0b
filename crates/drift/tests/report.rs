//! Reports on small fixed tables: snapshots, the JSON schema, and what a caller can get wrong.

#![allow(clippy::unwrap_used)]

mod schema;

use schema::violations;
use serde_json::Value;
use streamflow_drift::{
    Column, Comparison, Decision, DriftSettings, Error, Method, Report, RowFacts, RuleSet, Status,
    TargetChange, TargetMeasure, Untested, Values, compare, compare_column,
};

fn wave(name: &str, rows: i32, make: impl Fn(f64) -> f64) -> Column {
    Column::float(name, (0..rows).map(|i| make(f64::from(i * 7919 % 100) / 100.0)).collect())
}

fn labels(name: &str, rows: usize, of: &[&str]) -> Column {
    Column::text(name, &(0..rows).map(|i| Some(of[i % of.len()])).collect::<Vec<_>>())
}

/// Every kind of column and of fate.
fn tables() -> [Vec<Column>; 2] {
    let id = |from: usize| {
        Column::text("id", &(from..from + 100).map(|i| Some(format!("U{i}"))).collect::<Vec<_>>())
    };
    let truth = |share: usize| Column::boolean("label", (0..100).map(|i| Some(i % 10 < share)).collect());
    let holes =
        |every: i32| wave("holes", 100, |x| if (x * 100.0) as i32 % every == 0 { f64::NAN } else { x });
    let days = || Column { name: "day".into(), values: Values::Date(vec![Some(19_000); 100]) };
    let reference = vec![
        id(0),
        wave("shifted", 100, |x| x),
        wave("still", 100, |x| x * x),
        holes(50),
        labels("plan", 100, &["basic", "basic", "plus", "max"]),
        truth(3),
        Column::integer("tickets", (0..100).map(|i| Some(i % 4)).collect()),
        wave("retyped", 100, |x| x),
        Column::float("empty", vec![f64::NAN; 100]),
        days(),
        wave("gone", 100, |x| x),
    ];
    let current = vec![
        id(50),
        wave("shifted", 100, |x| x + 0.5),
        wave("still", 100, |x| x * x),
        holes(2),
        labels("plan", 100, &["basic", "<b>new</b>", "plus", "max"]),
        truth(2),
        Column::integer("tickets", (0..100).map(|i| Some(i % 4)).collect()),
        labels("retyped", 100, &["low", "high"]),
        Column::float("empty", vec![f64::INFINITY; 100]),
        days(),
        wave("added", 100, |x| x),
    ];
    [reference, current]
}

fn settings(profile: RuleSet) -> DriftSettings {
    DriftSettings {
        profile,
        entity: vec!["id".into()],
        target: Some("label".into()),
        reference_name: "January".into(),
        current_name: "February".into(),
        ..DriftSettings::default()
    }
}

#[test]
fn reports_are_as_they_were() {
    let [reference, current] = tables();
    for profile in [RuleSet::Calibrated, RuleSet::Evidently] {
        let mut report = compare(&reference, &current, &settings(profile)).unwrap();
        let equal = ["shifted", "retyped", "gone"].map(str::to_owned).to_vec();
        let facts = |groups| RowFacts { duplicated_columns: Some(groups), duplicated_rows: Some(0) };
        let quality = report.quality.as_mut().unwrap();
        (quality.reference.rows, quality.current.rows) = (facts(vec![equal]), facts(Vec::new()));
        let name = profile.as_str();
        insta::assert_snapshot!(format!("{name}.json"), report.to_json());
        insta::assert_snapshot!(format!("{name}.html"), report.to_html());
        insta::assert_snapshot!(format!("{name}.md"), report.to_markdown());
        // A line for each metric; parsing it to print it prettily could move the last digit of a number.
        let evidently = report.to_evidently_json().replace("{\"id\"", "\n{\"id\"");
        insta::assert_snapshot!(format!("{name}.evidently.json"), evidently);
    }
}

#[test]
fn a_column_at_a_time_is_the_same_report() {
    let [reference, current] = tables();
    let settings = settings(RuleSet::Calibrated);
    let mut comparison = Comparison::new(settings.clone());
    for column in &reference {
        let other = current.iter().find(|other| other.name == column.name);
        comparison.column(Some(column), other).unwrap();
    }
    comparison.add(compare_column(None, current.last(), &settings).unwrap()).unwrap();
    assert_eq!(
        comparison.finish().unwrap().to_json(),
        compare(&reference, &current, &settings).unwrap().to_json()
    );
}

#[test]
fn sixteen_columns_fit_in_a_small_page() {
    let table = |shift: f64| -> Vec<Column> {
        (0..16)
            .map(|i| wave(&format!("a_rather_long_column_name_{i}"), 5000, |x| (x + shift).sin()))
            .collect()
    };
    let html = compare(&table(0.0), &table(0.1), &DriftSettings::default()).unwrap().to_html();
    assert!(html.len() <= 250_000, "{} bytes", html.len());
    for outside in ["http:", "https:", "url(", "@import", "src="] {
        assert!(!html.contains(outside), "{outside} in the page");
    }
}

#[test]
fn json_is_as_its_schema_says() {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/report-schema.json")).unwrap();
    let [reference, current] = tables();
    for profile in [RuleSet::Calibrated, RuleSet::Evidently] {
        let mut report = compare(&reference, &current, &settings(profile)).unwrap();
        report.weigh("churn version 3", &[("shifted".to_owned(), 2.0), ("still".to_owned(), 1.0)]);
        let (column, measure) = ("plan".to_owned(), TargetMeasure::ClassShares);
        report.target_change = Some(TargetChange { column, measure, difference: 0.125 });
        let mut json: Value = serde_json::from_str(&report.to_json()).unwrap();
        assert!(json["weighted"]["drift_share"].is_number());
        assert_eq!(violations(&schema, &schema, &json, ""), Vec::<String>::new());
        json["columns"][1]["effect_size"] = Value::from("large");
        json["decision"] = Value::from("MAYBE");
        assert_eq!(violations(&schema, &schema, &json, "").len(), 2);
    }
}

#[test]
fn the_change_of_a_label_that_is_not_of_two_classes_is_told() {
    let table = || vec![wave("x", 100, |x| x), labels("<plan>", 100, &["basic", "plus", "max"])];
    let mut report = compare(&table(), &table(), &DriftSettings::default()).unwrap();
    assert!(report.to_html().contains("<dd>unknown: no labels of two classes"));
    for (measure, difference, words) in [
        (TargetMeasure::ClassShares, 0.0412, "the shares of its classes differ by 4.1 %, half the sum"),
        (
            TargetMeasure::StandardDeviations,
            1.25,
            "its mean lies 1.250 standard deviations of the reference away",
        ),
    ] {
        report.target_change = Some(TargetChange { column: "<plan>".to_owned(), measure, difference });
        let html = report.to_html();
        let expected = format!("<dt>Target drift</dt><dd><bdi>&lt;plan&gt;</bdi>: {words}");
        assert!(html.contains(&expected) && !html.contains("unknown: no labels"), "{expected}");
        assert!(report.to_markdown().contains(words), "{}", report.to_markdown());
    }
}

#[track_caller]
fn check_error(reference: &[Column], current: &[Column], settings: &DriftSettings, expected: &str) {
    assert_eq!(compare(reference, current, settings).unwrap_err().to_string(), expected);
}

#[test]
fn wrong_input_is_refused_by_name() {
    let x = || Column::float("x", vec![1.0]);
    let plain = DriftSettings::default();
    check_error(
        &[x()],
        &[x(), x()],
        &plain,
        "duplicate column \"x\" in current, expected every column name once",
    );
    check_error(
        &[x(), x()],
        &[x()],
        &plain,
        "duplicate column \"x\" in reference, expected every column name once",
    );
    let long = Column::float("y", vec![1.0, 2.0]);
    check_error(
        &[x(), long.clone()],
        &[x()],
        &plain,
        "column \"y\" of reference has 2 rows, expected 1 as in the columns before it",
    );
    let broken = Column { name: "x".into(), values: Values::Text { codes: vec![3], levels: vec![] } };
    check_error(&[broken], &[x()], &plain, "column \"x\" holds text code 3, expected less than 0 or MISSING");
    assert_eq!(compare_column(None, None, &plain).unwrap_err(), Error::NoColumn);
    assert!(matches!(
        compare_column(Some(&x()), Some(&long), &plain).unwrap_err(),
        Error::NameMismatch { .. }
    ));
    let mut comparison = Comparison::new(plain);
    comparison.column(Some(&x()), None).unwrap();
    assert!(matches!(comparison.column(None, Some(&x())).unwrap_err(), Error::DuplicateColumn { .. }));
}

#[test]
fn nothing_to_look_at_is_no_verdict() {
    let plain = DriftSettings::default();
    let (x, y, none) =
        (Column::float("x", vec![1.0]), Column::float("y", vec![1.0]), Column::float("x", vec![]));
    let no_rows = "has no rows, expected one at least; look at what wrote it or compare another table";
    check_error(std::slice::from_ref(&x), std::slice::from_ref(&none), &plain, &format!("current {no_rows}"));
    check_error(&[none], std::slice::from_ref(&x), &plain, &format!("reference {no_rows}"));
    let no_common = "reference and current have no column in common, expected one at least; columns pair up by name, \
                     so look at both header lines";
    check_error(&[x], &[y], &plain, no_common);
    check_error(&[], &[], &plain, no_common);
}

/// Drift share, tested columns, decision, and the columns that were not tested with whether they count.
type Verdict<'a> = (f64, usize, Decision, Vec<(&'a str, &'a str, bool)>);

#[track_caller]
fn check_verdict(current: &[Column], settings: &DriftSettings, expected: Verdict) {
    let reference = [wave("amount", 200, |x| x), wave("still", 200, |x| x)];
    let report = compare(&reference, current, settings).unwrap();
    let listed = |column: &'_ streamflow_drift::NotTested| {
        (column.column.clone(), column.reason.clone(), column.counted)
    };
    let found: Vec<_> = report.not_tested.iter().map(listed).collect();
    let (share, tested, decision, not_tested) = expected;
    let not_tested: Vec<_> =
        not_tested.into_iter().map(|(a, b, c)| (a.to_owned(), b.to_owned(), c)).collect();
    assert_eq!((report.drift_share, report.tested_columns, report.decision), (share, tested, decision));
    assert_eq!(found, not_tested);
}

#[test]
fn a_column_that_cannot_be_tested_any_more_counts_as_drifted() {
    use Decision::{NoAction, RetrainingTriggered};
    let still = || wave("still", 200, |x| x);
    let days = |name: &str| Column { name: name.into(), values: Values::Date(vec![Some(19_000); 200]) };
    let plain = DriftSettings::default();
    let gone = ("amount", "only in reference", true);
    check_verdict(&[still()], &plain, (0.5, 1, RetrainingTriggered, vec![gone]));
    let renamed = [still(), wave("sum", 200, |x| x)];
    let added = ("sum", "only in current", false);
    check_verdict(&renamed, &plain, (0.5, 1, RetrainingTriggered, vec![gone, added]));
    let empty = [Column::float("amount", vec![f64::NAN; 200]), still()];
    let lost = vec![("amount", "no values in current", true)];
    check_verdict(&empty, &plain, (0.5, 1, RetrainingTriggered, lost));
    let retyped = [labels("amount", 200, &["low", "high"]), still()];
    let lost = vec![("amount", "tested as numerical, but one side holds strings", true)];
    check_verdict(&retyped, &plain, (0.5, 1, RetrainingTriggered, lost.clone()));
    let mut with_holes = labels("amount", 200, &["low", "high"]);
    if let Values::Text { codes, .. } = &mut with_holes.values {
        codes[0] = u32::MAX;
    }
    check_verdict(&[with_holes, still()], &plain, (0.5, 1, RetrainingTriggered, lost));
    let dated = vec![("amount", "dates are not tested", true)];
    check_verdict(&[days("amount"), still()], &plain, (0.5, 1, RetrainingTriggered, dated));
    // What no test takes on either side is listed only.
    let more = [wave("amount", 200, |x| x), still(), days("day")];
    check_verdict(&more, &plain, (0.0, 2, NoAction, vec![("day", "only in current", false)]));

    let ignored = DriftSettings { untested: Untested::Ignored, ..DriftSettings::default() };
    let not_counted = vec![("amount", "only in reference", false)];
    check_verdict(&[still()], &ignored, (0.0, 1, NoAction, not_counted.clone()));
    let evidently = DriftSettings { profile: RuleSet::Evidently, ..DriftSettings::default() };
    check_verdict(&[still()], &evidently, (0.0, 1, NoAction, not_counted));
    let left_out = DriftSettings { entity: vec!["amount".into()], ..DriftSettings::default() };
    check_verdict(&[still()], &left_out, (0.0, 1, NoAction, vec![]));
}

#[test]
fn a_few_rows_of_new_labels_are_still_categories() {
    let reference = [labels("plan", 600, &["basic", "plus", "max"])];
    let current = Column::text("plan", &(0..7).map(|i| Some(format!("new {i}"))).collect::<Vec<_>>());
    let report = compare(&reference, &[current], &DriftSettings::default()).unwrap();
    let plan = report.column("plan").unwrap();
    // The smallest p-value that 9,999 permutations can give.
    assert!(plan.drifted && plan.p_value.unwrap() <= 1e-4, "{plan:?}");
    assert!(plan.explanation.contains("fully disjoint"), "{}", plan.explanation);
}

#[test]
fn a_report_of_the_first_version_is_still_read() {
    let x = [wave("x", 50, |x| x)];
    let report = compare(&x, &x, &DriftSettings::default()).unwrap();
    let mut json: Value = serde_json::from_str(&report.to_json()).unwrap();
    json["schema_version"] = Value::from(1);
    json.as_object_mut().unwrap().remove("not_tested");
    let read = Report::from_json(&json.to_string()).unwrap();
    assert_eq!((read.schema_version, read.judged_columns()), (1, 1));
}

#[test]
fn a_named_method_replaces_the_half_it_can() {
    let (reference, current) = (wave("x", 100, |x| x), wave("x", 100, |x| x + 0.5));
    let run = |name: &str| {
        let settings =
            DriftSettings { num_method: Some(Method::find(name).unwrap()), ..DriftSettings::default() };
        let report =
            compare(std::slice::from_ref(&reference), std::slice::from_ref(&current), &settings).unwrap();
        report.columns.into_iter().next().unwrap()
    };
    let test = run("t_test");
    assert_eq!(
        (test.method.as_deref(), test.effect_size.unwrap().name.as_str()),
        (Some("t_test"), "wasserstein")
    );
    let distance = run("psi");
    assert_eq!(
        (distance.method.as_deref(), distance.effect_size.unwrap().name.as_str()),
        (Some("rank_tests"), "psi")
    );
    let wrong = run("chisquare");
    assert_eq!(wrong.status, Status::NotComputable);
    assert_eq!(wrong.reason.as_deref(), Some("chisquare is not for numerical columns, only for categorical"));
}

#[test]
fn what_is_left_out_is_listed_and_counts_for_nothing() {
    let column = Column::float("x", (0..50).map(f64::from).collect());
    let mut comparison = Comparison::new(DriftSettings::default());
    comparison.column(Some(&column), Some(&column)).unwrap();
    comparison.leave_out("tags", "lists are not compared");
    comparison.leave_out("tags", "of the other side");
    comparison.leave_out("x", "compared already");
    let report = comparison.finish().unwrap();
    let listed: Vec<_> =
        report.not_tested.iter().map(|c| (c.column.as_str(), c.reason.as_str(), c.counted)).collect();
    assert_eq!(listed, [("tags", "lists are not compared", false)]);
    assert_eq!((report.tested_columns, report.drift_share, report.reference.columns), (1, 0.0, 1));
    assert!(report.to_html().contains("lists are not compared"));
}
