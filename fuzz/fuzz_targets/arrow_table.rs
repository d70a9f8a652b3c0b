//! An Arrow file or stream with any of its bytes changed, plain or compressed, and cut anywhere.
#![no_main]

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, types::Int8Type};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use libfuzzer_sys::fuzz_target;
use streamflow_dataset::TableFile;
use streamflow_fuzz::Damage;

static FILES: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    let [plain, lz4, zstd] = [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)].map(file);
    [plain, lz4, zstd, stream()]
});

fn batch() -> RecordBatch {
    let plans: DictionaryArray<Int8Type> = vec![Some("basic"), None, Some("gold")].into_iter().collect();
    let columns: [(&str, ArrayRef); 4] = [
        ("age", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))),
        ("hours", Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5]))),
        ("name", Arc::new(StringArray::from(vec![Some("a"), Some("a longer text than the others"), None]))),
        ("plan", Arc::new(plans)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of three rows")
}

fn stream() -> Vec<u8> {
    let batch = batch();
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).expect("a writer");
    writer.write(&batch).and_then(|()| writer.finish()).expect("a stream in memory");
    drop(writer);
    bytes
}

fn file(compression: Option<CompressionType>) -> Vec<u8> {
    let batch = batch();
    let options = IpcWriteOptions::default().try_with_compression(compression).expect("a known compression");
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).expect("a writer");
    writer.write(&batch).and_then(|()| writer.finish()).expect("a file in memory");
    drop(writer);
    bytes
}

fuzz_target!(init: streamflow_fuzz::let_decoders_panic(), |input: (u8, Damage)| {
    let (which, damage) = input;
    let file = damage.of(&FILES[usize::from(which) % FILES.len()]);
    let table = TableFile::from_bytes("fuzz", file);
    let counted = table.ok().and_then(streamflow_fuzz::count);
    assert!(counted.is_some() || !damage.is_none(), "a sound file is read");
});
