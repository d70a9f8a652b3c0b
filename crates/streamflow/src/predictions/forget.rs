//! One entity leaves the log.

use std::path::Path;
use std::sync::Arc;

use super::entity::Naming;
use super::read::{Window, files, read_file};
use super::record::{Cell, Record, Shape};
use super::writer::write_file;
use super::{keys, replaced};

/// The rows of an entity.
///
/// # Errors
/// A damaged file; entities that were hashed by another key.
pub fn count(folder: &Path, entity: &str, naming: &Naming) -> anyhow::Result<u64> {
    keys::check(folder, naming)?;
    let name = naming.of_entity(entity);
    let mut rows = 0;
    for path in files(folder, Window::ALL)? {
        read_file(&path, &mut |row: Record| {
            rows += u64::from(is_of(&row, entity, name.as_deref()));
            Ok(())
        })?;
    }
    Ok(rows)
}

/// Writes the files that have rows of an entity anew, without them. The rows that went.
pub fn forget(folder: &Path, entity: &str, naming: &Naming) -> anyhow::Result<u64> {
    let name = naming.of_entity(entity);
    let mut went = 0;
    let _alone = replaced::forgetting(folder)?;
    // What a process that was killed has left beside a merged file has the same rows.
    replaced::end_cut_off(folder)?;
    for path in files(folder, Window::ALL)? {
        let (mut kept, mut gone) = (Vec::new(), 0);
        read_file(&path, &mut |row: Record| {
            if is_of(&row, entity, name.as_deref()) {
                gone += 1
            } else {
                kept.push(row)
            }
            Ok(())
        })?;
        if gone == 0 {
            continue;
        }
        went += gone;
        match kept.first() {
            None => std::fs::remove_file(&path)?,
            Some(first) => {
                let shape = typed(&first.shape, &kept);
                write_file(&path, &shape, &kept)?;
            }
        }
    }
    Ok(went)
}

/// Rows in clear are found whatever is configured by now.
fn is_of(row: &Record, entity: &str, name: Option<&str>) -> bool {
    row.entity.as_deref().is_some_and(|found| found == entity || Some(found) == name)
}

/// The shape with a feature as a number where any row says that it is one.
fn typed(shape: &Shape, rows: &[Record]) -> Arc<Shape> {
    let features = shape.features.iter().enumerate().map(|(place, (name, is_number))| {
        let says_so = rows.iter().any(|row| matches!(row.values.get(place), Some(Cell::Number(_))));
        (name.clone(), *is_number || says_so)
    });
    Arc::new(Shape {
        model: shape.model.clone(),
        version: shape.version.clone(),
        as_of: shape.as_of.clone(),
        classes: shape.classes.clone(),
        features: features.collect(),
    })
}

#[cfg(test)]
mod tests;
