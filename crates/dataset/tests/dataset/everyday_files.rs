//! Files as people have them, some of them refused or misread by other tools: what is read and what is left out.

use streamflow_dataset::{Counts, TableFile};

use crate::{all_columns, shared};

/// `name type rows missing unparseable` of each column, and `- name` of each that is left out.
fn described(table: TableFile) -> Vec<String> {
    let left_out: Vec<String> = table.left_out().iter().map(|column| format!("- {}", column.name)).collect();
    let mut columns = all_columns(table).unwrap();
    columns.sort_by(|left, right| left.name.cmp(&right.name));
    let describe = |column: &streamflow_dataset::ValueCounts| {
        let kind = match &column.values {
            Counts::Float(_) => "float",
            Counts::Integer(_) => "integer",
            Counts::Boolean(_) => "boolean",
            Counts::Text(_) => "text",
            Counts::Date(_) => "date",
        };
        let (rows, unparseable) = (column.rows(), &column.unparseable);
        format!(
            "{} {kind} {rows} {} {} {}",
            column.name,
            column.missing,
            unparseable.cells,
            unparseable.examples.join(" ")
        )
        .trim_end()
        .to_string()
    };
    columns.iter().map(describe).chain(left_out).collect()
}

#[test]
fn everyday_files_are_read() {
    let Some(cases) = shared("cases/drift") else { return };
    for (file, expected) in [
        ("parent_id.csv", &["PARENT_ID integer 30 0 0", "age integer 30 0 0"][..]),
        ("one_bad_cell.cur.csv", &["amount float 200 0 1 ERR", "n integer 200 0 0"]),
        ("dates.ref.csv", &["day date 310 0 0", "v float 310 0 0"]),
        ("dates.ref.parquet", &["day date 310 0 0", "v float 310 0 0"]),
        ("currency.ref.csv", &["fee float 300 0 0"]),
        ("currency.cur.csv", &["fee float 300 0 0"]),
        ("plain.ref.csv.gz", &["v integer 100 0 0"]),
        ("pandas_index.ref.parquet", &["v float 200 0 0", "- __index_level_0__"]),
        ("uuid_list.ref.parquet", &["v float 60 0 0", "- uid", "- tags"]),
    ] {
        assert_eq!(described(TableFile::open(&cases.join(file)).unwrap()), expected, "{file}");
    }
}
