//! What several fuzz targets share.

use std::cell::Cell;
use std::panic;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use parquet::file::metadata::ParquetMetaDataReader;
use streamflow_dataset::{Counted, Counts, Reading, TableFile, is_decoding};
use streamflow_inference::{Model, Value};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// Changes to a file that is sound before them, so that more of a format is reached than by bytes without a plan.
#[derive(Debug, Arbitrary)]
pub struct Damage {
    splices: Vec<Splice>,
    cut: Option<u16>,
}

/// Some bytes of the file, and what stands in their place.
#[derive(Debug, Arbitrary)]
struct Splice {
    at: u16,
    removed: u8,
    inserted: Vec<u8>,
}

impl Damage {
    /// The file after the changes.
    pub fn of(&self, file: &[u8]) -> Vec<u8> {
        let mut file = file.to_vec();
        for Splice { at, removed, inserted } in &self.splices {
            let start = usize::from(*at) % (file.len() + 1);
            let end = (start + usize::from(*removed)).min(file.len());
            file.splice(start..end, inserted.iter().copied());
        }
        file.truncate(self.cut.map_or(file.len(), usize::from));
        file
    }

    /// Whether nothing is changed.
    pub fn is_none(&self) -> bool {
        self.splices.is_empty() && self.cut.is_none()
    }
}

/// Rows of a Parquet file over which it is not read here: those without values take no bytes, so that a small file has
/// thousands of millions of them, and to count them takes its time.
const MANY_ROWS: i64 = 1 << 20;

thread_local! {
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a file that is a table says it is Parquet with a great many rows.
pub fn has_many_rows(file: &[u8]) -> bool {
    if TableFile::from_bytes("fuzz", file.to_vec()).is_err() {
        return false;
    }
    LOOKING.set(true);
    let read = || ParquetMetaDataReader::new().parse_and_finish(&Bytes::copy_from_slice(file)).ok();
    let metadata = panic::catch_unwind(read).ok().flatten();
    LOOKING.set(false);
    let rows = metadata.iter().flat_map(|metadata| metadata.row_groups()).map(|group| group.num_rows().max(0));
    rows.fold(0, i64::saturating_add) > MANY_ROWS
}

/// Counts all columns of a table; `None` when it is refused. Every column has as many rows. What has no order is sorted.
pub fn count(mut table: TableFile) -> Option<Counted> {
    let names = table.names().to_vec();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let reading = Reading { memory_bytes: 1 << 20, threads: 1, whole_rows: false, progress: &|_| {} };
    let mut counted = table.count(&names, &reading).ok()?;
    assert!(counted.columns.windows(2).all(|pair| pair[0].rows() == pair[1].rows()));
    for column in &mut counted.columns {
        match &mut column.values {
            Counts::Text(texts) => texts.sort_unstable(),
            Counts::Date(days) => days.sort_unstable(),
            _ => {}
        }
    }
    Some(counted)
}

/// Lets pass the panics of libraries that decode columns: they are caught and become errors of the file. A panic of our
/// own code ends the run there too.
pub fn let_decoders_panic() {
    let end = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let is_library = info.location().is_some_and(|location| location.file().contains("/registry/src/"));
        if !(is_library && (is_decoding() || LOOKING.get())) {
            end(info);
        }
    }));
}

/// Waits on this thread, for targets whose handlers are asynchronous.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime of one thread")
}

/// What a service answers, without a connection.
pub fn answer(runtime: &Runtime, service: &Router, request: Request<Body>) -> (StatusCode, Bytes) {
    runtime.block_on(async {
        let response = service.clone().oneshot(request).await.expect("a router has no error of its own");
        let (head, body) = response.into_parts();
        (head.status, axum::body::to_bytes(body, usize::MAX).await.expect("a body in memory"))
    })
}

/// Reads a model file and asks it about rows of every type of value.
pub fn model_file(file: &[u8]) {
    let Ok(model) = Model::read(file) else { return };
    let values = [
        Value::Missing,
        Value::Number(0.5),
        Value::Number(-1e39),
        Value::Integer((1 << 53) + 1),
        Value::Boolean(true),
        Value::Text("monthly"),
    ];
    let width = model.inputs().len();
    // A hostile file may ask for rows of a million values.
    if width > 1000 {
        return;
    }
    for value in values {
        let Ok(one) = model.predict(&vec![value; width]) else { continue };
        let many = model.predict(&vec![value; 33 * width]).expect("as many rows of the same");
        for (one, many) in [(&one.margin, &many.margin), (&one.probability, &many.probability), (&one.value, &many.value)] {
            let (Some(one), Some(many)) = (one, many) else { continue };
            let first = one.rows().next().map(|row| format!("{row:?}"));
            assert!(many.rows().all(|row| Some(format!("{row:?}")) == first));
        }
    }
}
