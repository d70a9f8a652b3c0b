//! Profiles of tables: parts merge to the whole, counts compare as rows do, and what is no profile is refused.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};
use streamflow_drift::{
    Column, ColumnType, DriftSettings, Error, MAX_DISTINCT, METHODS, MISSING, Report, RuleSet, Status,
    TableProfile, Values, compare,
};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => -100.0..100.0,
        4 => (0_i32..4).prop_map(f64::from),
        1 => any::<f64>(),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(5e-324), Just(-0.0)],
    ]
}

fn values(rows: usize) -> impl Strategy<Value = Values> {
    prop_oneof![
        prop::collection::vec(number(), rows).prop_map(Values::Float),
        prop::collection::vec(prop::option::of(prop_oneof![0_i64..5, any::<i64>()]), rows)
            .prop_map(Values::Integer),
        prop::collection::vec((0_i64..30).prop_map(Some), rows).prop_map(Values::Integer),
        prop::collection::vec(any::<Option<bool>>(), rows).prop_map(Values::Boolean),
        prop::collection::vec(any::<Option<i32>>(), rows).prop_map(Values::Date),
        prop::collection::vec(prop::option::of("[a-c]{1,2}|yes|no|\\PC{0,12}"), rows)
            .prop_map(|rows| Column::text("x", &rows).values),
    ]
}

/// Columns `x0`, `x1`, … of as many rows.
fn table(rows: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Column>> {
    let columns = rows.prop_flat_map(|rows| prop::collection::vec(values(rows), 1..4));
    columns.prop_map(|columns| {
        let named = columns.into_iter().enumerate();
        named.map(|(i, values)| Column { name: format!("x{i}"), values }).collect()
    })
}

fn rows_of(columns: &[Column], range: std::ops::Range<usize>) -> Vec<Column> {
    let part = |column: &Column| Column {
        name: column.name.clone(),
        values: match &column.values {
            Values::Float(values) => Values::Float(values[range.clone()].to_vec()),
            Values::Integer(values) => Values::Integer(values[range.clone()].to_vec()),
            Values::Boolean(values) => Values::Boolean(values[range.clone()].to_vec()),
            Values::Date(values) => Values::Date(values[range.clone()].to_vec()),
            Values::Text { codes, levels } => {
                Values::Text { codes: codes[range.clone()].to_vec(), levels: levels.clone() }
            }
            Values::Counted(_) => unreachable!("these columns are rows"),
        },
    };
    columns.iter().map(part).collect()
}

fn profile(columns: &[Column]) -> TableProfile {
    TableProfile::of(columns).unwrap()
}

/// Both orders and both groupings of three parts give the bytes of the whole.
fn check_merge(columns: &[Column], cuts: [usize; 2]) {
    let rows = columns[0].rows();
    let mut cuts = cuts.map(|cut| cut % (rows + 1));
    cuts.sort_unstable();
    let part = |from, to| profile(&rows_of(columns, from..to));
    let (a, b, c) = (part(0, cuts[0]), part(cuts[0], cuts[1]), part(cuts[1], rows));
    let merge = |left: &TableProfile, right: &TableProfile| left.clone().merge(right.clone()).unwrap();
    let whole = profile(columns).to_json();
    assert_eq!(merge(&merge(&a, &b), &c).to_json(), whole);
    assert_eq!(merge(&a, &merge(&b, &c)).to_json(), whole);
    assert_eq!(merge(&merge(&c, &a), &b).to_json(), whole);
    assert_eq!(TableProfile::from_json(&whole).unwrap().to_json(), whole);
}

/// DriftSettings that ask for every method once, and for none.
fn all_settings() -> impl Iterator<Item = DriftSettings> {
    let methods = METHODS.iter().map(Some).chain([None]);
    methods.flat_map(|method| {
        let of = |kind| method.filter(|method| method.columns.contains(&kind));
        [RuleSet::Calibrated, RuleSet::Evidently].map(|profile| DriftSettings {
            profile,
            num_method: of(ColumnType::Numerical),
            cat_method: of(ColumnType::Categorical),
            text_method: of(ColumnType::Text),
            target: Some("x0".into()),
            ..DriftSettings::default()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_merge_to_the_whole(columns in table(0..60), cuts in any::<[usize; 2]>()) {
        check_merge(&columns, cuts);
    }

    #[test]
    fn any_text_is_a_profile_or_an_error(text in "\\PC{0,60}|[{}\\[\\]\":,a-z0-9]{0,60}") {
        let _ = TableProfile::from_json(&text);
    }

    /// Every profile that is read, however large its counts, can be written, merged and compared.
    #[test]
    fn a_changed_profile_is_a_profile_or_an_error(
        columns in table(1..20),
        at in any::<prop::sample::Index>(),
        with in prop_oneof![
            Just("9007199254740992".to_owned()), Just("-1".into()), Just("0".into()), Just("1e3".into()),
            Just("null".into()), Just("\"x\"".into()), any::<u64>().prop_map(|n| n.to_string()),
        ],
        byte in prop::option::of((any::<prop::sample::Index>(), 32_u8..127)),
    ) {
        let json = profile(&columns).to_json();
        // One of the numbers of the file is another.
        let members = json.match_indices(": ").map(|(start, _)| start);
        let numbers: Vec<_> = members.filter(|&i| !json[i + 2..].starts_with(['"', '[', '{'])).collect();
        let start = numbers[at.index(numbers.len())];
        let end = json[start..].find([',', '\n']).unwrap() + start;
        let mut changed = format!("{}: {with}{}", &json[..start], &json[end..]);
        if let Some((at, byte)) = byte {
            let mut bytes = changed.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            changed = String::from_utf8_lossy(&bytes).into_owned();
        }
        if let Ok(read) = TableProfile::from_json(&changed) {
            let written = read.to_json();
            prop_assert_eq!(&TableProfile::from_json(&written).unwrap(), &read);
            let _ = read.clone().merge(read.clone());
            let columns = read.into_columns();
            // A count that is 0 can leave a profile without rows.
            let compared = compare(&columns, &columns, &DriftSettings::default());
            prop_assert!(matches!(compared, Ok(_) | Err(Error::NoRows { .. })), "{:?}", compared.err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_of_many_different_values_merge_to_the_whole(
        seed in any::<u64>(), octaves in 0_i32..60, cuts in any::<[usize; 2]>(),
    ) {
        check_merge(&wide(24_000, seed, octaves), cuts);
    }

    #[test]
    fn counts_compare_as_rows_do(reference in table(1..40), current in table(1..40)) {
        let counted = |columns: &[Column]| {
            TableProfile::from_json(&profile(columns).to_json()).unwrap().into_columns()
        };
        let (counted_reference, counted_current) = (counted(&reference), counted(&current));
        for settings in all_settings() {
            let report = |reference: &[Column], current: &[Column]| {
                let mut report = compare(reference, current, &settings).unwrap();
                // No profile knows a row.
                if let Some(quality) = &mut report.quality {
                    (quality.reference.rows, quality.current.rows) = Default::default();
                }
                report.to_json()
            };
            let expected = report(&reference, &current);
            prop_assert_eq!(&report(&counted_reference, &counted_current), &expected);
            prop_assert_eq!(&report(&counted_reference, &current), &expected);
            prop_assert_eq!(&report(&reference, &counted_current), &expected);
        }
    }
}

fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Numbers and strings too different to be held exactly; numbers are zero, or of either sign over many octaves.
fn wide(rows: usize, seed: u64, octaves: i32) -> Vec<Column> {
    let mut state = seed;
    let mut next = || {
        let size = (uniform(&mut state) * f64::from(octaves + 1)).exp2() * (0.5 + uniform(&mut state));
        if uniform(&mut state) < 0.1 { 0.0 } else { size.copysign(uniform(&mut state) - 0.3) }
    };
    let decimal: Vec<f64> = (0..rows).map(|_| next()).collect();
    let whole = decimal.iter().map(|value| Some((value * 1e5) as i64)).collect();
    let strings: Vec<_> = decimal.iter().map(|value| Some(value.to_string())).collect();
    vec![
        Column::integer("whole", whole),
        Column::text("strings", &strings),
        Column::float("decimal", decimal),
    ]
}

fn report(reference: &[Column], current: &[Column], types: &[(&str, ColumnType)]) -> Report {
    let types = types.iter().map(|&(name, kind)| (name.to_owned(), kind)).collect();
    compare(reference, current, &DriftSettings { types, ..DriftSettings::default() }).unwrap()
}

#[test]
fn rounded_numbers_compare_nearly_as_rows_do_and_say_so() {
    let (reference, current) = (wide(30_000, 1, 3), wide(20_000, 2, 4));
    let exact = report(&reference, &current, &[]);
    for (reference, current) in [
        (profile(&reference).into_columns(), profile(&current).into_columns()),
        (profile(&reference).into_columns(), current.clone()),
        (reference, profile(&current).into_columns()),
    ] {
        let rounded = report(&reference, &current, &[]);
        for name in ["whole", "decimal"] {
            let (exact, rounded) = (exact.column(name).unwrap(), rounded.column(name).unwrap());
            let effect =
                |column: &streamflow_drift::ColumnReport| column.effect_size.as_ref().unwrap().value.unwrap();
            assert!((effect(rounded) / effect(exact) - 1.0).abs() < 1e-3, "{rounded:?}");
            let note = &rounded.notes[0];
            assert!(
                note.starts_with("approximate: a side is a profile of more than 10000 different"),
                "{note}"
            );
            assert!(note.contains("relative error below 0.000"), "{note}");
        }
    }
}

/// As many rows as a profile can claim: every method answers or says why not, and soon.
#[test]
fn enormous_counts_have_a_report() {
    let enormous = |n: u64, kind: &str, keys: [&str; 3]| {
        let rest = 9_007_199_254_740_992 - 2 * n;
        let values = json!({keys[0]: n, keys[1]: n, keys[2]: rest});
        let json = json!({"format": "streamflow-profile", "schema_version": 1, "rows": 9_007_199_254_740_992_u64,
            "columns": [{"name": "x0", "kind": kind, "missing": 0, "infinite": 0, "values": values}]});
        TableProfile::from_json(&json.to_string()).unwrap().into_columns()
    };
    for (kind, keys) in
        [("float", ["0", "0.5", "7"]), ("text", ["a", "b", "c"]), ("integer", ["0", "1", "2"])]
    {
        let most = enormous(3_000_000_000_000_000, kind, keys);
        for other in [enormous(2_900_000_000_000_000, kind, keys), enormous(1, kind, keys)] {
            for settings in all_settings() {
                let report = compare(&most, &other, &settings).unwrap();
                assert_eq!(report.reference.rows, 9_007_199_254_740_992, "{settings:?}");
            }
        }
    }
}

/// Rounding both sides alike keeps equal data equal, though only one side was rounded when it came.
#[test]
fn rounding_is_no_drift() {
    let rows = wide(30_000, 3, 2);
    let report = report(&profile(&rows).into_columns(), &rows, &[]);
    for name in ["whole", "decimal"] {
        let column = report.column(name).unwrap();
        assert_eq!(
            (column.p_value, column.effect_size.as_ref().unwrap().value),
            (Some(1.0), Some(0.0)),
            "{column:?}"
        );
    }
}

#[test]
fn what_counts_cannot_tell_is_not_computable() {
    let (rows, categorical) = (wide(30_000, 4, 2), ColumnType::Categorical);
    let counted = profile(&rows).into_columns();
    let few_texts: Vec<_> = (0..4).map(|i| Some(format!("text {i}"))).collect();
    for (reference, current, name, kind, expected) in [
        (
            &counted,
            &rows,
            "strings",
            None,
            "Not computable: one side is a profile whose texts were too many to keep",
        ),
        (
            &counted,
            &rows,
            "strings",
            Some(categorical),
            "one side is a profile whose categories were too many",
        ),
        (
            &rows,
            &counted,
            "decimal",
            Some(categorical),
            "one side is a profile whose categories were too many",
        ),
        (&rows, &counted, "whole", Some(categorical), "one side is a profile whose categories were too many"),
        (&rows, &counted, "strings", Some(ColumnType::Numerical), "one side holds strings"),
        (
            &profile(&[Column::text("strings", &few_texts)]).into_columns(),
            &counted,
            "strings",
            None,
            "too many to keep",
        ),
    ] {
        let types: Vec<_> = kind.into_iter().map(|kind| (name, kind)).collect();
        let report = report(reference, current, &types);
        let column = report.column(name).unwrap();
        assert_eq!(column.status, Status::NotComputable, "{column:?}");
        assert!(column.explanation.contains(expected), "{}", column.explanation);
    }
}

#[test]
fn of_very_many_texts_a_million_are_compared() {
    let claimed = 1_u64 << 52;
    let huge = json!({"format": "streamflow-profile", "schema_version": 1, "rows": claimed, "columns": [
        {"name": "strings", "kind": "text", "missing": 0, "infinite": 0, "values": {"old words": claimed}}]});
    let huge = TableProfile::from_json(&huge.to_string()).unwrap().into_columns();
    let current = vec![Column::text("strings", &vec![Some("new words"); 50])];
    let report = report(&huge, &current, &[("strings", ColumnType::Text)]);
    let column = report.column("strings").unwrap();
    assert_eq!((column.status, column.drifted), (Status::Tested, true), "{column:?}");
    assert!(column.notes[0].contains("1000000 of 4503599627370496 texts"), "{:?}", column.notes);
}

#[test]
fn strings_are_kept_up_to_a_million_bytes() {
    let long = |n: usize| profile(&[Column::text("x", &[Some("é".repeat(n / 2)), None])]).to_json();
    assert!(long(1_000_000).contains("éé"));
    assert!(long(1_000_002).contains("\"values\": null"));
    let distinct: Vec<_> = (0..=MAX_DISTINCT).map(|i| Some(i.to_string())).collect();
    assert!(profile(&[Column::text("x", &distinct[1..])]).to_json().contains("\"77\": 1"));
    assert!(profile(&[Column::text("x", &distinct)]).to_json().contains("\"values\": null"));
}

#[test]
fn parts_of_other_kinds_are_one_column_where_pandas_would_read_one() {
    let merged = |parts: &[Column]| {
        let parts = parts.iter().map(|part| profile(std::slice::from_ref(part)));
        parts.reduce(|left, right| left.merge(right).unwrap()).unwrap()
    };
    let valueless = || Column::float("x", vec![f64::NAN]);
    for (parts, whole) in [
        (
            vec![Column::integer("x", vec![Some(1), Some(3)]), Column::float("x", vec![1.0, 0.5])],
            Column::float("x", vec![1.0, 3.0, 1.0, 0.5]),
        ),
        (
            vec![valueless(), Column::integer("x", vec![Some((1 << 53) + 1), Some(1 << 53)])],
            Column::float("x", vec![9_007_199_254_740_992.0, f64::NAN, 9_007_199_254_740_992.0]),
        ),
        (
            vec![Column::boolean("x", vec![Some(true)]), valueless()],
            Column::boolean("x", vec![None, Some(true)]),
        ),
        (vec![valueless(), Column::text("x", &[Some("a")])], Column::text("x", &[Some("a"), None])),
        (vec![valueless(), valueless()], Column::float("x", vec![f64::NAN; 2])),
    ] {
        assert_eq!(merged(&parts), profile(&[whole]), "{parts:?}");
        assert_eq!(merged(&parts.iter().rev().cloned().collect::<Vec<_>>()), merged(&parts), "{parts:?}");
    }
}

#[test]
fn tables_of_other_columns_do_not_merge() {
    let x = |values| Column { name: "x".into(), values };
    let y = || Column::boolean("y", vec![Some(true)]);
    let number = || x(Values::Float(vec![1.0]));
    let most = json!({"format": "streamflow-profile", "schema_version": 1, "rows": 9_007_199_254_740_992_u64,
        "columns": [{"name": "x", "kind": "date", "missing": 0, "infinite": 0, "values": null}]});
    let most = TableProfile::from_json(&most.to_string()).unwrap().into_columns();
    for (left, right, expected) in [
        (
            vec![number()],
            vec![x(Values::Boolean(vec![None]))],
            "at column \"x\": decimal numbers do not merge with",
        ),
        (
            vec![x(Values::Integer(vec![]))],
            vec![Column::text("x", &[Some("a")])],
            "whole numbers do not merge with",
        ),
        (vec![number(), y()], vec![number()], "at column \"y\": only one of the profiles has it"),
        (vec![number()], vec![number(), y()], "at column \"y\": only one of the profiles has it"),
        (
            vec![number(), y()],
            vec![y(), number()],
            "at column \"x\": the other profile has \"y\" in its place",
        ),
        (
            most,
            vec![x(Values::Date(vec![None]))],
            "9007199254740993 rows together, expected at most 900719925474099",
        ),
    ] {
        let error = profile(&left).merge(profile(&right)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for (columns, expected) in [
        (vec![number(), number()], "duplicate column \"x\" in the profile"),
        (vec![number(), Column::boolean("y", vec![])], "column \"y\" of the profile has 0 rows, expected 1"),
        (vec![x(Values::Text { codes: vec![2], levels: vec!["a".into()] })], "holds text code 2"),
    ] {
        let error = TableProfile::of(&columns).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(TableProfile::of(&[]).unwrap().rows(), 0);
}

/// A profile in which every kind of column occurs, for people to look at.
fn example() -> TableProfile {
    profile(&[
        Column::float("hours", vec![0.5, 29.141_044_640_845_1, 0.5, f64::NAN, f64::INFINITY, -0.0]),
        Column::integer("plays", vec![Some(-3), Some(12), None, Some(12), Some(0), Some(i64::MAX)]),
        Column::boolean("tv", vec![Some(true), None, Some(true), None, None, None]),
        Column::text("plan", &[Some("plus"), Some("basic"), Some("plus"), Some("a \"b\""), None, Some("")]),
        Column { name: "day".into(), values: Values::Date(vec![Some(1), None, None, None, None, None]) },
    ])
}

#[test]
fn the_file_is_for_people_too() {
    insta::assert_snapshot!("profile", example().to_json());
    assert_eq!(TableProfile::from_json(&example().to_json()).unwrap(), example());
}

#[test]
fn what_is_no_profile_is_refused_by_field() {
    let column = |i: usize, member: &str| format!("/columns/{i}/{member}");
    let cases: Vec<(String, Value, &str)> = vec![
        ("/format".into(), json!("evidently"), "format is \"evidently\", expected \"streamflow-profile\""),
        ("/schema_version".into(), json!(2), "schema_version is 2, expected 1"),
        ("/rows".into(), json!(-1), "rows is -1, expected a whole number"),
        ("/rows".into(), json!(1e300), "rows is 1e+300, expected a whole number"),
        ("/rows".into(), json!(9_007_199_254_740_993_u64), "rows is 9007199254740993, expected"),
        ("/rows".into(), json!(5), "values of column \"hours\" is 6, expected the 5 of rows"),
        ("/columns".into(), json!([]), "rows is 6, expected 0 without columns"),
        ("/columns".into(), json!({}), "not a profile: invalid type: map, expected a sequence"),
        ("/color".into(), json!(1), "unknown field `color`"),
        (column(0, "name"), json!(7), "columns[0].name is 7, expected a string"),
        (column(1, "name"), json!("hours"), "columns[1].name is \"hours\", expected every name once"),
        (
            column(0, "kind"),
            json!("complex"),
            "kind of column \"hours\" is \"complex\", expected float, integer",
        ),
        (column(0, "missing"), json!("1"), "missing of column \"hours\" is \"1\", expected a whole number"),
        (column(0, "infinite"), json!(1.5), "infinite of column \"hours\" is 1.5"),
        (
            column(1, "infinite"),
            json!(1),
            "infinite of column \"plays\" is 1, expected 0 unless the kind is float",
        ),
        (column(0, "mantissa_bits"), json!(52), "mantissa_bits of column \"hours\" is 52, expected 0 to 51"),
        (column(2, "mantissa_bits"), json!(3), "mantissa_bits of column \"tv\" is 3"),
        (
            column(0, "mantissa_bits"),
            json!(3),
            "is \"29.1410446408451\", expected a finite number of mantissa_bits",
        ),
        (column(0, "values"), Value::Null, "values of column \"hours\" is null, expected an object unless"),
        (column(0, "values"), json!([1]), "expected in the field `values` an object of counts, or null"),
        (
            column(4, "values"),
            json!({"1": 6}),
            "values of column \"day\" is \"an object\", expected null for dates",
        ),
        (column(4, "missing"), json!(7), "missing of column \"day\" is 7, expected no more than rows"),
        (
            column(0, "values"),
            json!({"0": 0, "1": 4}),
            "\"0\" in values of column \"hours\" is 0, expected a positive",
        ),
        (column(0, "values"), json!({"0": -4}), "\"0\" in values of column \"hours\" is -4"),
        (column(0, "values"), json!({"1": 2, "0.5": 2}), "a key in values of column \"hours\" is \"0.5\""),
        (column(0, "values"), json!({"NaN": 4}), "is \"NaN\", expected a finite number"),
        (column(0, "values"), json!({"inf": 4}), "is \"inf\", expected a finite number"),
        (column(0, "values"), json!({"-0": 2, "0": 2}), "is \"-0\", expected a finite number"),
        (column(0, "values"), json!({"1": 2, "1.0": 2}), "is \"1.0\", expected a finite number"),
        (column(1, "values"), json!({"1.5": 5}), "is \"1.5\", expected a whole number"),
        (column(1, "values"), json!({"9223372036854775808": 5}), "expected a whole number, ascending"),
        (column(2, "values"), json!({"yes": 2}), "is \"yes\", expected false, then true"),
        (column(3, "values"), json!({"b": 2, "a": 3}), "is \"a\", expected strings, ascending"),
        (
            column(3, "values"),
            json!({"a": 9_007_199_254_740_992_u64}),
            "is 9007199254740993, expected the 6 of rows",
        ),
        (
            column(3, "values"),
            json!({"x".repeat(1_000_001): 5}),
            "expected a million bytes of strings at most",
        ),
    ];
    for (pointer, value, expected) in cases {
        let mut json: Value = serde_json::from_str(&example().to_json()).unwrap();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[member] = value;
        let error = TableProfile::from_json(&json.to_string()).unwrap_err().to_string();
        assert!(error.contains(expected), "{pointer}: {error}");
        assert!(error.len() < 500, "{pointer}: {} bytes", error.len());
    }
}

#[test]
fn text_that_is_no_profile_is_refused_by_position() {
    let good = example().to_json();
    let twice = good.replacen("\"rows\": 6", "\"rows\": 6, \"rows\": 6", 1);
    let entries: Vec<_> = (0..=MAX_DISTINCT).map(|i| format!("\"{i}\": 1")).collect();
    let many = good.replacen("\"false\": 1", &entries.join(", "), 1);
    let many = many.replacen("\"true\": 2", &entries.join(", "), 1);
    for (json, expected) in [
        ("", "EOF while parsing"),
        ("{}", "missing field `format`"),
        ("user_id,hours\n1,2\n", "expected value at line 1 column 1"),
        (&good[..good.len() / 2], "EOF while parsing"),
        (&twice, "duplicate field `rows`"),
        (&many, "`values` has more than 10000 entries"),
        (&"[".repeat(100_000), "at line 1 column"),
        (&good.replacen("\"missing\": 1,", "", 1), "missing field `missing`"),
    ] {
        let error = TableProfile::from_json(json).unwrap_err().to_string();
        assert!(error.starts_with("not a profile: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_profile_is_recognised_by_its_first_bytes() {
    assert!(TableProfile::is_profile(example().to_json().as_bytes()));
    assert!(TableProfile::is_profile(b" \n{ \"schema_version\""));
    for other in [&b""[..], b"{a},b\n", b"user_id,hours\n", b"PAR1", b"\"{\",x\n", b"[1]"] {
        assert!(!TableProfile::is_profile(other), "{other:?}");
    }
}

#[test]
fn missing_is_counted_apart() {
    let columns = profile(&[Column {
        name: "x".into(),
        values: Values::Text { codes: vec![0, MISSING], levels: vec!["a".into()] },
    }])
    .into_columns();
    let report = report(&columns, &columns, &[]);
    assert_eq!(report.columns[0].reference.as_ref().unwrap().missing, 1);
    assert_eq!(
        (report.reference.rows, report.columns[0].missing.as_ref().unwrap().reference_share),
        (2, 0.5)
    );
}
