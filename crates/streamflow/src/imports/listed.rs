//! A file that lists the entities that a model was trained on.

use std::path::Path;

use anyhow::bail;
use streamflow_dataset::{Batch, Cell, ColumnType, CsvOptions, DatasetSpec, KeyPart, TableRows};

/// Reads the entities of a table with the columns of the key. Of a key of one column, the file may also be a single
/// column without a header or with another one, such as a text with an id on each line.
///
/// # Errors
/// A file that is no table, that lacks a column of the key, or has no entity; a row without a value of the key.
pub fn read(path: &Path, spec: &DatasetSpec, options: CsvOptions) -> anyhow::Result<Vec<String>> {
    let (key, types, shown) = (&spec.entity, spec.key_types(), path.display());
    let rows = TableRows::open(path, options)?;
    let header = rows.header().to_vec();
    let place = |name: &String| header.iter().position(|column| column == name);
    let named: Option<Vec<usize>> = key.columns().iter().map(place).collect();
    let is_text = rows.rows().is_none();
    let (columns, first) = match (named, &header[..], key.single()) {
        (Some(columns), ..) => (columns, None),
        // Nothing tells a header from an id, and an id that nobody has leaves nothing out.
        (None, [only], Some(_)) => (vec![0], is_text.then(|| only.clone())),
        _ => bail!(
            "{shown} has the columns {}; expected {}, which name an entity (dataset.entity)",
            header.join(", "),
            key.columns().join(", ")
        ),
    };
    let mut entities: Vec<String> = Vec::new();
    if let (Some(id), [of_type]) = (first.filter(|id| !id.trim().is_empty()), &types[..]) {
        entities.extend(part(Cell::Text(&id), *of_type).map(|part| key.text(&[part])));
    }
    rows.read(&columns, |batch: &Batch, _| {
        for row in 0..batch.rows() {
            let parts: Option<Vec<KeyPart>> =
                (0..columns.len()).map(|at| part(batch.cell(at, row), types[at])).collect();
            let Some(parts) = parts else {
                bail!(
                    "{shown}, {}: the row has no value of {}; expected the entity of each row",
                    batch.position(row),
                    key.columns().join(", ")
                );
            };
            entities.push(key.text(&parts));
        }
        Ok(())
    })?;
    if entities.is_empty() {
        bail!(
            "{shown} lists no entity; expected the ids that the model was trained on, or `--trained-until DATE` in its place"
        );
    }
    Ok(entities)
}

/// A value of the key, written as the dataset writes it; none where it is missing.
fn part<'a>(cell: Cell<'_>, of_type: ColumnType) -> Option<KeyPart<'a>> {
    let text = cell.text().filter(|text| !text.is_empty())?;
    Some(match (of_type, text.trim().parse()) {
        (ColumnType::Integer, Ok(number)) => KeyPart::Integer(number),
        _ => KeyPart::Text(text.into()),
    })
}
