//! Properties that hold for every input.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use streamflow_drift::{Column, DriftSettings, MISSING, Report, RuleSet, Values, compare};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -100.0..100.0,
        2 => (0_i32..4).prop_map(f64::from),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(-f64::MAX), Just(5e-324), Just(-0.0)],
    ]
}

fn values(rows: usize) -> impl Strategy<Value = Values> {
    let rows = 1..=rows;
    prop_oneof![
        prop::collection::vec(number(), rows.clone()).prop_map(Values::Float),
        prop::collection::vec(prop::option::of(prop_oneof![0_i64..5, any::<i64>()]), rows.clone())
            .prop_map(Values::Integer),
        prop::collection::vec(any::<Option<bool>>(), rows.clone()).prop_map(Values::Boolean),
        prop::collection::vec(any::<Option<i32>>(), rows.clone()).prop_map(Values::Date),
        prop::collection::vec(prop::option::of("[a-c]{1,2}|\\PC{0,12}"), rows)
            .prop_map(|rows| Column::text("x", &rows).values),
    ]
}

fn column(rows: usize) -> impl Strategy<Value = Column> {
    values(rows).prop_map(|values| Column { name: "x".into(), values })
}

fn settings(profile: RuleSet) -> DriftSettings {
    DriftSettings { profile, target: Some("x".into()), ..DriftSettings::default() }
}

fn report(reference: &Column, current: &Column, profile: RuleSet) -> Report {
    compare(std::slice::from_ref(reference), std::slice::from_ref(current), &settings(profile)).unwrap()
}

fn reversed(column: &Column) -> Column {
    let mut column = column.clone();
    match &mut column.values {
        Values::Float(values) => values.reverse(),
        Values::Integer(values) => values.reverse(),
        Values::Boolean(values) => values.reverse(),
        Values::Date(values) => values.reverse(),
        Values::Text { codes, .. } => codes.reverse(),
        Values::Counted(_) => {} // Counts have no order.
    }
    column
}

/// The column without its missing and infinite rows.
fn present(column: &Column) -> Column {
    let mut column = column.clone();
    match &mut column.values {
        Values::Float(values) => values.retain(|value| value.is_finite()),
        Values::Integer(values) => values.retain(Option::is_some),
        Values::Boolean(values) => values.retain(Option::is_some),
        Values::Date(values) => values.retain(Option::is_some),
        Values::Text { codes, .. } => codes.retain(|&code| code != MISSING),
        Values::Counted(_) => unreachable!("these columns are rows"),
    }
    column
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_two_columns_have_a_report(reference in column(40), current in column(40)) {
        for profile in [RuleSet::Calibrated, RuleSet::Evidently] {
            let report = report(&reference, &current, profile);
            // The reader may round the last digit of a number, so numbers are not compared.
            let read = Report::from_json(&report.to_json()).unwrap();
            prop_assert_eq!(&read.columns[0].explanation, &report.columns[0].explanation);
            prop_assert_eq!(read.drifted_columns, report.drifted_columns);
            prop_assert!(report.to_html().ends_with("</html>\n"));
            prop_assert!(!report.to_evidently_json().is_empty() && !report.to_markdown().is_empty());
            prop_assert!((0.0..=1.0).contains(&report.drift_share));
        }
    }

    #[test]
    fn row_order_has_no_influence(reference in column(40), current in column(40)) {
        for profile in [RuleSet::Calibrated, RuleSet::Evidently] {
            let expected = report(&reference, &current, profile).to_json();
            prop_assert_eq!(report(&reversed(&reference), &reversed(&current), profile).to_json(), expected);
        }
    }

    #[test]
    fn identical_sides_never_drift(column in column(60)) {
        for profile in [RuleSet::Calibrated, RuleSet::Evidently] {
            let report = report(&column, &column, profile);
            prop_assert_eq!(report.drifted_columns, 0, "{}", report.to_json());
        }
    }

    #[test]
    fn missing_is_never_a_value(reference in column(40), current in column(40)) {
        prop_assume!([&reference, &current].iter().all(|column| present(column).rows() > 0));
        let all = report(&reference, &current, RuleSet::Calibrated);
        let some = report(&present(&reference), &present(&current), RuleSet::Calibrated);
        prop_assert_eq!(all.columns[0].p_value, some.columns[0].p_value);
        prop_assert_eq!(&all.columns[0].effect_size, &some.columns[0].effect_size);
        prop_assert_eq!(&all.columns[0].distribution, &some.columns[0].distribution);
    }
}
