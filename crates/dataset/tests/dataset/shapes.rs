//! The same table in another format, or in parts: the same counts. And what is no table in parts.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use proptest::prelude::*;
use streamflow_dataset::{CsvOptions, Error, Reading, TableFile};

use crate::round_trip::write_parquet;
use crate::{all_columns, all_columns_of, counts_of};

const ROWS: usize = 40;

/// Rows `from..to` of a table with a column of each type and missing values.
fn rows(from: usize, to: usize) -> RecordBatch {
    let whole = (from..to).map(|row| Some(row as i64).filter(|_| row % 7 != 3));
    let plans = (from..to).map(|row| ["basic", "gold", "old, \u{fc}ber"].get(row % 4).copied());
    let columns: [(&str, ArrayRef); 4] = [
        ("age", Arc::new(whole.collect::<Int64Array>())),
        ("hours", Arc::new((from..to).map(|row| Some(row as f64 / 4.0)).collect::<Float64Array>())),
        ("plan", Arc::new(plans.collect::<StringArray>())),
        ("tv", Arc::new((from..to).map(|row| Some(row % 3 == 0)).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn arrow(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    drop(writer);
    bytes
}

fn stream(batches: &[RecordBatch]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// Every column with its missing rows and the rows of each value.
type Described = Vec<(String, u64, Vec<(String, u64)>)>;

fn described(table: TableFile) -> Result<Described, Error> {
    let mut columns = all_columns(table)?;
    columns.sort_by(|left, right| left.name.cmp(&right.name));
    let one = |name: &str| counts_of(&columns, name);
    Ok(columns.iter().map(|column| (column.name.clone(), column.missing, one(&column.name))).collect())
}

fn folder_of(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn a_table_is_the_same_in_every_format() {
    let expected = described(TableFile::from_bytes("t", write_parquet(rows(0, ROWS))).unwrap()).unwrap();
    assert_eq!(expected.len(), 4);
    let parts = [rows(0, 15), rows(15, ROWS)];
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let table = TableFile::from_bytes("t.feather", arrow(&parts, compression)).unwrap();
        assert_eq!(described(table).unwrap(), expected, "{compression:?}");
    }
    let whole = stream(&parts);
    // The mark of the end may be left out.
    for bytes in [&whole[..], &whole[..whole.len() - 8]] {
        let table = TableFile::from_bytes("t.arrows", bytes.to_vec()).unwrap();
        assert_eq!(described(table).unwrap(), expected);
    }
    let folders = [
        vec![
            ("part-0.parquet", write_parquet(rows(0, 15))),
            ("part-1.parquet", write_parquet(rows(15, ROWS))),
        ],
        vec![
            ("a.arrow", arrow(&parts[..1], None)),
            ("b.parquet", write_parquet(rows(15, 20))),
            ("c", arrow(&[rows(20, ROWS)], None)),
            ("_SUCCESS", Vec::new()),
            (".part.crc", b"x".to_vec()),
        ],
    ];
    for files in folders {
        let folder = folder_of(&files);
        assert_eq!(described(TableFile::open(folder.path()).unwrap()).unwrap(), expected);
    }
}

#[test]
fn a_part_may_know_less_of_a_type() {
    let batch = |column: ArrayRef| write_parquet(RecordBatch::try_from_iter([("x", column)]).unwrap());
    let folder = folder_of(&[
        ("0.parquet", batch(Arc::new(NullArray::new(2)))),
        ("1.parquet", batch(Arc::new(Int64Array::from(vec![1, 2])))),
        ("2.parquet", batch(Arc::new(Float64Array::from(vec![2.0, 2.5])))),
    ]);
    let columns = all_columns(TableFile::open(folder.path()).unwrap()).unwrap();
    assert_eq!(columns[0].missing, 2);
    let pair = |value: &str, rows: u64| (value.to_string(), rows);
    assert_eq!(counts_of(&columns, "x"), [pair("1", 1), pair("2", 2), pair("2.5", 1)]);
}

#[track_caller]
fn check_refused(files: &[(&str, Vec<u8>)], expected: &str) {
    let folder = folder_of(files);
    let error = TableFile::open(folder.path()).and_then(all_columns).unwrap_err().to_string();
    assert_eq!(error.replace(&folder.path().display().to_string(), "DIR"), expected);
}

#[test]
fn what_is_no_table_in_parts_is_named() {
    let one = || ("0.parquet", write_parquet(rows(0, 3)));
    let other = |name: &str, column: ArrayRef| {
        ("1.parquet", write_parquet(RecordBatch::try_from_iter([(name, column)]).unwrap()))
    };
    let x: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    check_refused(
        &[("_SUCCESS", Vec::new())],
        "DIR: is a folder without files to read; name a file, or a folder that holds the parts of a table",
    );
    check_refused(
        &[one(), ("notes.txt", b"a,b\n1,2\n".to_vec())],
        "DIR: holds \"notes.txt\", which is text beside Parquet or Arrow files; a folder is read as the parts of one table: move it away",
    );
    check_refused(
        &[one(), ("1.parquet", Vec::new())],
        "DIR/1.parquet: is empty, and a folder is read as the parts of one table; remove this part or write it again",
    );
    check_refused(
        &[one(), other("age", Arc::clone(&x))],
        "DIR/1.parquet: the columns are not those of DIR/0.parquet; a folder is read as the parts of one table, with the same columns in the same order: name one file, or move away what is no part",
    );
    check_refused(
        &[("0.parquet", other("x", x).1), other("x", Arc::new(StringArray::from(vec!["a"])))],
        "DIR/1.parquet, column x: has the type Utf8 here and Int64 in an earlier part",
    );
    let folder = folder_of(&[one()]);
    fs::create_dir(folder.path().join("month=1")).unwrap();
    let error = TableFile::open(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("holds the folder \"month=1\"; a table that is partitioned by folders is not read as one: name one of them"), "{error}");
}

#[test]
fn parts_of_text_are_one_table() {
    let text = |from: i32, to: i32| {
        let rows = (from..to).map(|row| format!("{row};{},5;p{}\n", row % 9, row % 3));
        format!("n;price;plan\n{}", rows.collect::<String>())
    };
    let expected = described(TableFile::from_bytes("t", text(0, 90).into_bytes()).unwrap()).unwrap();
    let gzip = |text: String| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let folder = folder_of(&[
        ("part-0.csv", text(0, 30).trim_end().as_bytes().to_vec()),
        ("part-1.csv.gz", gzip(text(30, 60))),
        ("part-2.csv", text(60, 60).into_bytes()),
        ("part-3.csv", format!("\u{feff}{}", text(60, 90)).into_bytes()),
        ("_SUCCESS", Vec::new()),
    ]);
    assert_eq!(described(TableFile::open(folder.path()).unwrap()).unwrap(), expected);

    let part = |text: &str| text.as_bytes().to_vec();
    check_refused(
        &[("a.csv", part("x,y\n1,2\n")), ("b.csv", part("x,z\n1,2\n"))],
        "DIR/b.csv, column z: the columns are not those of DIR/a.csv; a folder is read as the parts of one table, with the same columns in the same order: name one file, or move away what is no part",
    );
    check_refused(
        &[("a.csv", part("x,y\n1,2\n")), ("b.csv", part("x,y\n1,2\n3\n"))],
        "DIR/b.csv line 3: has 1 field where the header has 2; quote fields that contain commas or line breaks",
    );
    check_refused(
        &[("a.csv", part("x,y\n1,2\n")), ("b.csv", Vec::new())],
        "DIR/b.csv: is empty, and a folder is read as the parts of one table; remove this part or write it again",
    );
    let torn = gzip((0..50_000).map(|row| format!("{row}\n")).collect());
    let error = || {
        let folder = folder_of(&[("a.csv", part("0\n1\n")), ("b.csv.gz", torn[..torn.len() / 2].to_vec())]);
        TableFile::open(folder.path()).and_then(all_columns).unwrap_err().to_string()
    };
    assert!(error().contains("/b.csv.gz: the gzip data are damaged or incomplete"), "{}", error());
}

#[test]
fn a_pipe_is_refused_before_it_is_waited_for() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let error = TableFile::open(path.as_ref()).unwrap_err().to_string();
    let expected = "is no file that can be read more than once (a pipe?); save it as a file first";
    assert_eq!(error, format!("{path}: {expected}"));
}

#[test]
fn text_is_read_as_the_options_say() {
    let folder = folder_of(&[
        ("latin1.csv", b"plan;n\ncaf\xe9;1\ncaf\xe9;2\n".to_vec()),
        ("colons.csv", b"a:b,c\n1:2,5\n".to_vec()),
    ]);
    let open = |name: &str, separator, encoding| {
        let options = CsvOptions::parse(separator, encoding).unwrap();
        TableFile::open_as(&folder.path().join(name), options).and_then(all_columns)
    };
    let error = open("latin1.csv", None, None).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "line 2: is not UTF-8 text; name its encoding, such as --encoding latin1, or save it as UTF-8"
        ),
        "{error}"
    );
    let plans = counts_of(&open("latin1.csv", None, Some("latin1")).unwrap(), "plan");
    assert_eq!(plans, [("caf\u{e9}".to_string(), 2)]);
    let columns = open("colons.csv", Some(":"), None).unwrap();
    assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["a", "b,c"]);
    for (separator, encoding, expected) in [
        (
            Some(";;"),
            None,
            "\";;\" does not separate fields: expected one ASCII character such as ; or | (no letter, digit or quote), or the word tab",
        ),
        (
            Some("a"),
            None,
            "\"a\" does not separate fields: expected one ASCII character such as ; or | (no letter, digit or quote), or the word tab",
        ),
        (
            Some("\u{e9}"),
            None,
            "\"\u{e9}\" does not separate fields: expected one ASCII character such as ; or | (no letter, digit or quote), or the word tab",
        ),
        (
            None,
            Some("klingon"),
            "there is no encoding \"klingon\": expected a name such as utf-8, latin1, windows-1252 or utf-16le",
        ),
    ] {
        assert_eq!(CsvOptions::parse(separator, encoding).unwrap_err(), expected);
    }
    assert_eq!(CsvOptions::parse(Some("tab"), None), CsvOptions::parse(Some("\\t"), None));
}

#[test]
fn an_arrow_file_has_no_place_in_a_drop() {
    let drop = crate::drop_of(&[("usage.csv", Some(&arrow(&[rows(0, 3)], None)))]);
    let (_data, store) = crate::store_of(crate::SPEC);
    let error = crate::ingest(&store, drop.path(), "2024-01-31").unwrap_err().to_string();
    assert!(error.contains("usage.csv: is an Arrow (Feather) file"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_of_an_arrow_file_panics(
        place in 0.0..1.0_f64,
        bytes in prop::collection::vec(any::<u8>(), 1..9),
        cut in any::<bool>(),
        kind in 0..3,
    ) {
        let batches = [rows(0, 15), rows(15, ROWS)];
        let mut file = match kind {
            0 => stream(&batches),
            1 => arrow(&batches, None),
            _ => arrow(&batches, Some(CompressionType::LZ4_FRAME)),
        };
        let place = (place * file.len() as f64) as usize;
        if cut {
            file.truncate(place);
        } else {
            file.iter_mut().skip(place).zip(&bytes).for_each(|(byte, other)| *byte = *other);
        }
        let _ = all_columns_of(&file);
    }
}

#[test]
fn dictionaries_of_a_stream_take_each_others_place() {
    let batch = |words: &[&str]| {
        let plan: ArrayRef = Arc::new(words.iter().copied().collect::<DictionaryArray<Int32Type>>());
        RecordBatch::try_from_iter([("plan", plan)]).unwrap()
    };
    let bytes = stream(&[batch(&["basic", "gold"]), batch(&["old", "basic", "old"])]);
    let pair = |value: &str, rows: u64| (value.to_string(), rows);
    let expected = [pair("basic", 2), pair("gold", 1), pair("old", 2)];
    assert_eq!(counts_of(&all_columns_of(&bytes).unwrap(), "plan"), expected);
}

#[test]
fn a_torn_arrow_file_says_so() {
    let file = arrow(&[rows(0, ROWS)], None);
    let stream = stream(&[rows(0, ROWS)]);
    for (name, bytes) in [
        ("footer", &file[..file.len() - 3]),
        ("all but the start", &file[..100]),
        ("a stream's last batch", &stream[..stream.len() - 20]),
        ("all but the start of a stream", &stream[..100]),
        ("a stream's first message", &stream[..7]),
    ] {
        let error = all_columns_of(bytes).unwrap_err().to_string();
        assert!(error.starts_with("t: is a damaged or incomplete Arrow file ("), "{name}: {error}");
    }
}

#[test]
fn rows_that_repeat_and_columns_that_say_the_same_are_found_in_every_format() {
    let csv = "a,b,c,e\n1,x,1,\n2,y,2,\n1,x,1,\n3,x,3,\n1,x,1,\n";
    let columns: [(&str, ArrayRef); 4] = [
        ("a", Arc::new(Int64Array::from(vec![1, 2, 1, 3, 1]))),
        ("b", Arc::new(StringArray::from(vec!["x", "y", "x", "x", "x"]))),
        ("c", Arc::new(Int64Array::from(vec![1, 2, 1, 3, 1]))),
        ("e", Arc::new(Float64Array::from(vec![None; 5]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let files = [csv.as_bytes().to_vec(), write_parquet(batch.clone()), arrow(&[batch], None)];
    for bytes in files {
        let mut table = TableFile::from_bytes("t", bytes).unwrap();
        let reading = Reading { memory_bytes: 1 << 30, threads: 2, whole_rows: true, progress: &|_| {} };
        assert_eq!(table.row_facts(), None);
        table.count(&["a", "b", "c", "e"], &reading).unwrap();
        let facts = table.row_facts().unwrap();
        assert_eq!(facts.duplicated_rows, Some(2));
        assert_eq!(facts.duplicated_columns, [["a", "c"]]);
    }
}
