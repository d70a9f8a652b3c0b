//! An Arrow file or stream with any of its bytes changed, plain or compressed, and cut anywhere.
#![no_main]

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, types::Int8Type};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use libfuzzer_sys::fuzz_target;
use streamflow_dataset::{Reading, TableFile};

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

fuzz_target!(|input: (u8, Vec<(u16, u8)>, Option<u16>)| {
    let (which, edits, cut) = input;
    let mut file = FILES[usize::from(which) % FILES.len()].clone();
    for (place, byte) in edits {
        let place = usize::from(place) % file.len();
        file[place] = byte;
    }
    if let Some(cut) = cut {
        file.truncate(usize::from(cut));
    }
    let Ok(mut table) = TableFile::from_bytes("fuzz", file) else { return };
    let names = table.names().to_vec();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let reading = Reading { memory_bytes: 1 << 20, threads: 1, whole_rows: false, progress: &|_| {} };
    if let Ok(counted) = table.count(&names, &reading) {
        assert!(counted.columns.windows(2).all(|pair| pair[0].rows() == pair[1].rows()));
    }
});
