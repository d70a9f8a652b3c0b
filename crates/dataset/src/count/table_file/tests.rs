//! Counting in blocks and threads against reading record by record; what is exact and what is deferred.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cell::Cell;
use crate::column_type::ColumnType;
use crate::count::csv_table::with_remedy;
use crate::count::infer::is_missing;
use crate::count::kind::Inference;
use crate::count::value_counts::Counts;
use crate::count::written_number::Commas;
use crate::format::csv::records::Records;
use crate::format::csv::records::Step;

/// Type, missing and unparseable rows, rows of each value.
type Plain = (ColumnType, [u64; 2], BTreeMap<String, u64>);

/// The columns of a CSV file with this separator, read twice and value by value: once for the types, once for the values.
fn naive(text: &[u8], separator: u8) -> Result<Vec<Plain>, Error> {
    let table = TableFile::from_bytes("t.csv", text.to_vec())?;
    let read = |see: &mut dyn FnMut(usize, &str)| -> Result<(), Fault> {
        let mut records = Records::separated(text, separator)?;
        loop {
            match records.advance()? {
                Step::Record => (0..table.header.len()).for_each(|column| see(column, records.field(column))),
                Step::Faulty(kind) => return Err(Fault::at_line(records.line(), kind)),
                Step::End => return Ok(()),
            }
        }
    };
    let mut inferences = vec![Inference::new(Commas::of(separator)); table.header.len()];
    read(&mut |column, text| inferences[column].see(text, 1))
        .map_err(|fault| Error::of_file(&table.name, with_remedy(fault)))?;
    let kinds: Vec<_> = inferences.into_iter().map(Inference::kind).collect();
    let mut plain: Vec<Plain> =
        kinds.iter().map(|kind| (kind.column_type(), [0; 2], BTreeMap::new())).collect();
    read(&mut |column, text| {
        let (_, without, counts) = &mut plain[column];
        let value = match kinds[column].read(text) {
            Cell::Missing => return without[usize::from(!is_missing(text))] += 1,
            Cell::Float(value) => format!("{:?}", value + 0.0),
            cell => format!("{cell:?}"),
        };
        *counts.entry(value).or_insert(0) += 1;
    })
    .map_err(|fault| Error::of_file(&table.name, with_remedy(fault)))?;
    Ok(plain)
}

fn plain(column: &ValueCounts) -> Plain {
    let mut counts = BTreeMap::new();
    let mut add = |value: String, count: u64| *counts.entry(value).or_insert(0) += count;
    let column_type = match &column.values {
        Counts::Float(numbers) => {
            numbers.counts.iter().for_each(|(value, count)| add(format!("{value:?}"), *count));
            numbers.rows.iter().for_each(|value| add(format!("{value:?}"), 1));
            ColumnType::Float
        }
        Counts::Integer(numbers) => {
            numbers
                .counts
                .iter()
                .for_each(|(value, count)| add(format!("{:?}", Cell::Integer(*value)), *count));
            numbers.rows.iter().for_each(|value| add(format!("{:?}", Cell::Integer(*value)), 1));
            ColumnType::Integer
        }
        Counts::Boolean(both) => {
            let both = both.iter().zip([false, true]).filter(|(count, _)| **count > 0);
            both.for_each(|(count, value)| add(format!("{:?}", Cell::Boolean(value)), *count));
            ColumnType::Boolean
        }
        Counts::Text(counts) => {
            counts.iter().for_each(|(text, count)| add(format!("{:?}", Cell::Text(text)), *count));
            ColumnType::String
        }
        Counts::Date(counts) => {
            counts.iter().for_each(|(day, count)| add(format!("{:?}", Cell::Date(*day)), *count));
            ColumnType::Date
        }
    };
    (column_type, [column.missing, column.unparseable.cells], counts)
}

/// All columns, asked for again as long as some are deferred.
fn counted(text: &[u8], memory_bytes: u64, threads: usize) -> Result<Vec<Plain>, Error> {
    let mut table = TableFile::from_bytes("t.csv", text.to_vec())?;
    let mut found = BTreeMap::new();
    let mut names = table.header.clone();
    let mut looks = 0;
    while !names.is_empty() {
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let counted =
            table.count(&asked, &Reading { memory_bytes, threads, whole_rows: true, progress: &|_| {} })?;
        assert_eq!(counted.columns.len() + counted.deferred.len(), asked.len());
        looks += 1;
        assert!(looks <= 2 * table.header.len(), "{:?} are deferred for ever", counted.deferred);
        found.extend(counted.columns.iter().map(|column| (column.name.clone(), plain(column))));
        names = counted.deferred;
    }
    Ok(table.header.iter().map(|name| found[name].clone()).collect())
}

#[track_caller]
fn check(text: &[u8]) {
    check_separated(text, b',');
}

#[track_caller]
fn check_separated(text: &[u8], separator: u8) {
    let expected = naive(text, separator).map_err(|error| error.to_string());
    for (memory_bytes, threads) in [(u64::MAX, 1), (u64::MAX, 3), (0, 2)] {
        let found = counted(text, memory_bytes, threads).map_err(|error| error.to_string());
        assert_eq!(
            found,
            expected,
            "{memory_bytes} bytes, {threads} threads: {}",
            String::from_utf8_lossy(text)
        );
    }
}

#[test]
fn records_are_those_of_the_csv_crate() {
    for text in [
        "a,b\n1,2\n",
        "\u{feff}a,b\r\n1,2\r\n3,4",
        "a\n\n\n1\n\n\r\n2\r\r3",
        "a,b\n\"x, \"\"y\"\"\n\",1\n\"\",\"2\"",
        "a,b\n\"x\"y\"z,1\nx\"y,\"2\" \n",
        "a,b\n1,\"open\n2,3\n",
        "a,b\n1,\"\"\"",
        "a,b\n1,",
        "a,b\n,\n",
        "a,b\n1,2\n3\n",
        "a,b\n1,2,3\n",
        "\"a\nb\",c\n1,2\n",
        "a\n\0\n\0\0\nx\0\n",
        "long,b\n29.14104464084511,abcdefghijklmno\n29.14104464084511,abcdefghijklmnop\n",
    ] {
        check(text.as_bytes());
    }
    check(b"a,b\n1,2\ncaf\xe9,3\n");
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[0-9]{1,3}",
        4 => "-?[0-9]{0,20}\\.?[0-9]{0,18}",
        2 => prop::sample::select(vec![
            "", "NA", "nan", "NaN", "None", " 1", "1 ", "+5", "-0", "-0.0", "1e5", "inf", "-Infinity", "True",
            "false", "99999999999999999999", "9223372036854775808", "NAN", "x", "-", ".", " ",
        ]).prop_map(str::to_string),
        1 => "\"([a-z,\n\r]|\"\"){0,20}\"[a-z]?",
        1 => "[a-zé\" ]{0,20}",
    ]
}

/// Columns of one kind, mostly, so that types differ.
fn table() -> impl Strategy<Value = String> {
    let column = prop_oneof![
        3 => prop::collection::vec("[0-9]{1,3}", 0..60),
        3 => prop::collection::vec("-?[0-9]{1,3}\\.[0-9]{0,17}", 0..60),
        1 => prop::collection::vec(prop::sample::select(vec!["True", "False", ""]).prop_map(str::to_string), 0..60),
        1 => prop::collection::vec("\\$[1-9][0-9]{0,3}(\\.[0-9]{2})?", 0..60),
        1 => prop::collection::vec("2024-0[1-9]-1[0-9]( 12:[0-5][0-9])?", 0..60),
        3 => prop::collection::vec(field(), 0..60),
    ];
    let odd = prop::option::weighted(0.3, (any::<prop::sample::Index>(), field()));
    let ends = prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]);
    (prop::collection::vec((column, odd), 1..5), ends, any::<bool>()).prop_map(|(columns, end, ended)| {
        let rows = columns.iter().map(|(column, _)| column.len()).min().unwrap_or(0);
        let mut columns = columns;
        for (column, odd) in &mut columns {
            if let Some((place, value)) = odd.take().filter(|_| rows > 0) {
                column[place.index(rows)] = value;
            }
        }
        let header: Vec<String> = (0..columns.len()).map(|column| format!("c{column}")).collect();
        let mut lines = vec![header.join(",")];
        for row in 0..rows {
            lines.push(columns.iter().map(|(column, _)| column[row].as_str()).collect::<Vec<_>>().join(","));
        }
        lines.join(end) + if ended { end } else { "" }
    })
}

proptest! {
    #[test]
    fn counting_is_reading_row_by_row(text in table()) {
        check(text.as_bytes());
    }

    #[test]
    fn numbers_with_commas_are_read_row_by_row_too(
        column in prop::collection::vec("[1-9][0-9]{0,2}(,[0-9]{1,3})?", 0..60),
        plain in 0..80_u32,
        odd in prop::option::of("[0-9.,%]{1,7}"),
    ) {
        let plain = (0..plain).map(|number| number.to_string());
        let lines = plain.chain(column).chain(odd).map(|number| format!("{number};x\n"));
        check_separated(format!("n;t\n{}", lines.collect::<String>()).as_bytes(), b';');
    }

    #[test]
    fn any_text_is_read_as_the_csv_crate_reads_it(text in "[ab1,\"\r\n .]{0,60}") {
        check(text.as_bytes());
    }
}

#[test]
fn columns_beyond_the_memory_are_deferred() {
    let mut text = "a,b,c\n".to_string();
    (0..3_000).for_each(|row| text.push_str(&format!("{row}.5,{},{row}.25\n", row % 3)));
    let mut table = TableFile::from_bytes("t.csv", text.into_bytes()).unwrap();
    let reading = Reading { memory_bytes: 20_000, threads: 1, whole_rows: false, progress: &|_| {} };
    let names = |counted: &Counted| counted.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    let first = table.count(&["a", "b", "c"], &reading).unwrap();
    assert_eq!(
        (names(&first), &first.deferred),
        (vec!["a".to_string()], &vec!["b".to_string(), "c".to_string()])
    );
    let second = table.count(&["c", "b"], &reading).unwrap();
    assert_eq!(names(&second)[0], "c");
    let error = table.count(&["d"], &reading).unwrap_err().to_string();
    assert_eq!(error, "t.csv, column d: there is no such column (did you mean a?)");
}
