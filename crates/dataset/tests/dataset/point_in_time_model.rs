//! Random months against a model that walks through maps: which row of which month each entity sees.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use streamflow_dataset::{Period, PointInTime, Snapshots, Values};

use crate::{date, spec};

const TABLES: [&str; 4] = ["labels", "support", "usage", "users"];
/// Columns beside the entity, by table, with values as both CSV and a frame write them.
const COLUMNS: [&[(&str, &[&str])]; 4] = [
    &[("churned", &["true", "false"])],
    &[("calls", &["0", "3", "-9223372036854775808"])],
    &[
        ("hours", &["0.5", "2", "-3.25", "inf"]),
        ("plan", &["basic", "gold", "a, \"b\"\nc", "\u{e9}"]),
        ("premium", &["true", "false"]),
    ],
    &[("age", &["18", "99"])],
];
const FEATURES: [(&str, &str); 5] =
    [("usage", "plan"), ("users", "age"), ("usage", "hours"), ("support", "calls"), ("usage", "premium")];
const SPEC: &str = r#"
entity = "id"
entity_table = "users"
features = ["plan", "age", "hours", "calls", "premium"]
label = { table = "labels", column = "churned" }
tables.labels.columns = { id = "ENTITY", churned = "boolean" }
tables.support.columns = { id = "ENTITY", calls = "integer" }
tables.usage.columns = { id = "ENTITY", hours = "float", plan = "string", premium = "boolean" }
tables.users.columns = { id = "ENTITY", age = "integer" }
"#;
const DATES: [&str; 4] = ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"];
/// Days to ask for: those of the months and what is before, between and after them.
const ASKED: [&str; 7] =
    ["2023-12-31", "2024-01-31", "2024-02-10", "2024-02-29", "2024-03-31", "2024-04-30", "2025-01-01"];

/// Rows of one table of one month in the order of the file: the entity's number and its values.
type Rows = Vec<(usize, Vec<Option<&'static str>>)>;
/// The tables of a month, in the order of [`TABLES`].
type Month = Vec<Rows>;

fn rows(columns: &'static [(&str, &[&str])], least: usize) -> impl Strategy<Value = Rows> {
    let value = |values: &'static [&'static str]| prop::option::weighted(0.8, prop::sample::select(values));
    let values: Vec<_> = columns.iter().map(|(_, values)| value(values)).collect();
    (prop::sample::subsequence((0..12).collect::<Vec<usize>>(), least..=12).prop_shuffle(), any::<bool>())
        .prop_flat_map(move |(mut entities, sorted)| {
            if sorted {
                entities.sort_unstable();
            }
            let rows: Vec<_> = entities.into_iter().map(|entity| (Just(entity), values.clone())).collect();
            rows
        })
}

fn month() -> impl Strategy<Value = Month> {
    let [labels, support, usage, users] = COLUMNS;
    (rows(labels, 0), rows(support, 0), rows(usage, 0), rows(users, 1))
        .prop_map(|(labels, support, usage, users)| vec![labels, support, usage, users])
}

/// The name of an entity; their order is not that of the numbers.
fn name(entity: usize, integers: bool) -> String {
    match integers {
        true => (5 - entity as i64 * 7 % 11 - 12 * (entity as i64 / 11)).to_string(),
        false => ["b", "a", "ab", "x", "Z", "\u{e9}", "10", "9", "a b", "a\"", "-", "aa"][entity].to_string(),
    }
}

fn write_drop(directory: &Path, month: &Month, integers: bool) {
    for ((table, columns), rows) in TABLES.iter().zip(COLUMNS).zip(month) {
        let mut writer = csv::Writer::from_path(directory.join(format!("{table}.csv"))).unwrap();
        writer.write_record(std::iter::once("id").chain(columns.iter().map(|(name, _)| *name))).unwrap();
        for (entity, values) in rows {
            let values = values.iter().map(|value| value.unwrap_or_default().to_string());
            writer.write_record(std::iter::once(name(*entity, integers)).chain(values)).unwrap();
        }
        writer.flush().unwrap();
    }
}

/// What is known at a date, row by row as text; `None` without a snapshot that answers.
fn naive(
    months: &BTreeMap<Period, Month>,
    as_of: Period,
    options: PointInTime,
    integers: bool,
) -> Option<Vec<Vec<Option<String>>>> {
    let (newest, month) = months.range(..=as_of).next_back()?;
    if options.exact && *newest != as_of {
        return None;
    }
    let place = |table: &str| TABLES.iter().position(|name| *name == table).unwrap();
    let find = |month: &Month, table: &str, entity: usize, column: &str| {
        let index = COLUMNS[place(table)].iter().position(|(name, _)| *name == column).unwrap();
        let row = month[place(table)].iter().find(|(other, _)| *other == entity)?;
        Some(row.1[index].map(str::to_string))
    };
    let mut rows: Vec<(usize, Vec<Option<String>>)> = Vec::new();
    for (entity, _) in &month[place("users")] {
        let mut row = vec![Some(name(*entity, integers))];
        for (table, column) in FEATURES {
            let mut past = months.range(..=*newest).rev();
            row.push(past.find_map(|(_, month)| find(month, table, *entity, column)).flatten());
        }
        if options.labels {
            let label = find(month, "labels", *entity, "churned").flatten();
            row.push(label.filter(|_| *newest == as_of));
        }
        rows.push((*entity, row));
    }
    rows.sort_by_key(|(entity, _)| {
        let name = name(*entity, integers);
        (name.parse::<i64>().ok().filter(|_| integers), name)
    });
    Some(rows.into_iter().map(|(_, row)| row).collect())
}

fn check(months: &BTreeMap<Period, Month>, order: &[Period], integers: bool) {
    let data = tempfile::tempdir().unwrap();
    let spec = spec(&SPEC.replace("ENTITY", if integers { "integer" } else { "string" }));
    let snapshots = Snapshots::open(data.path(), spec).unwrap();
    for as_of in order {
        let drop = tempfile::tempdir().unwrap();
        write_drop(drop.path(), &months[as_of], integers);
        snapshots.ingest(drop.path(), *as_of, false, &mut |_| {}).unwrap();
    }
    for as_of in ASKED.map(date) {
        for (labels, exact) in [(true, false), (false, false), (true, true)] {
            let options = PointInTime { labels, exact };
            let expected = naive(months, as_of, options, integers);
            let found = snapshots.point_in_time(as_of, options).ok();
            let text = found.as_ref().map(|frame| {
                let row = |row| frame.columns.iter().map(|column| column.values.text(row)).collect();
                (0..frame.rows).map(row).collect::<Vec<Vec<_>>>()
            });
            assert_eq!(text, expected, "as of {as_of}, {options:?}");
            for column in found.iter().flat_map(|frame| &frame.columns) {
                let Values::Text { codes, levels } = &column.values else { continue };
                let mut first: Vec<u32> = Vec::new();
                codes.iter().for_each(|code| {
                    if *code != streamflow_dataset::MISSING && !first.contains(code) {
                        first.push(*code);
                    }
                });
                let numbered: Vec<u32> = (0..levels.len() as u32).collect();
                assert_eq!(first, numbered, "texts are numbered as they first occur");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn each_entity_sees_what_a_walk_through_the_months_finds(
        months in prop::sample::subsequence(DATES.to_vec(), 1..=4)
            .prop_flat_map(|dates| dates.into_iter().map(|date| (Just(date), month())).collect::<Vec<_>>()),
        order in Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
        integers in any::<bool>(),
    ) {
        let dates: Vec<Period> = months.iter().map(|(text, _)| date(text)).collect();
        let order: Vec<Period> = order.into_iter().filter_map(|index| dates.get(index).copied()).collect();
        let months = dates.iter().copied().zip(months.into_iter().map(|(_, month)| month)).collect();
        check(&months, &order, integers);
    }
}
