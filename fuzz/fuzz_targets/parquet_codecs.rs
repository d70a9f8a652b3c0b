//! A Parquet file of every codec, with and without dictionaries, any of its bytes changed.
#![no_main]

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use libfuzzer_sys::fuzz_target;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use streamflow_dataset::TableFile;
use streamflow_fuzz::Damage;

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
    ];
    let versions = [(WriterVersion::PARQUET_1_0, true), (WriterVersion::PARQUET_2_0, false)];
    codecs.iter().flat_map(|codec| versions.map(|version| file(*codec, version))).collect()
});

/// The second version of the format has other pages, and other encodings where there is no dictionary.
fn file(codec: Compression, (version, dictionary): (WriterVersion, bool)) -> Vec<u8> {
    let columns: [(&str, ArrayRef); 4] = [
        ("age", Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(3)]))),
        ("hours", Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5, f64::NAN]))),
        ("name", Arc::new(StringArray::from(vec![Some("a"), Some("a longer text than the others"), None, None]))),
        ("churned", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of four rows");
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_writer_version(version)
        .set_dictionary_enabled(dictionary)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("a batch in memory");
    writer.into_inner().expect("a file in memory")
}

fuzz_target!(init: streamflow_fuzz::let_decoders_panic(), |input: (u8, Damage)| {
    let (which, damage) = input;
    let file = damage.of(&FILES[usize::from(which) % FILES.len()]);
    if streamflow_fuzz::has_many_rows(&file) {
        return;
    }
    let table = TableFile::from_bytes("fuzz", file);
    let counted = table.ok().and_then(streamflow_fuzz::count);
    assert!(counted.is_some() || !damage.is_none(), "a sound file is read");
});
