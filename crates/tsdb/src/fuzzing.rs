//! Decoders by themselves, for fuzzing: any bytes are an answer.

use crate::aggregates::{Aggregate, Resolution};
use crate::block::index::Index;
use crate::block::meta::Meta;
use crate::block::tombstones;
use crate::block::tombstones::Tombstones;
use crate::chunk::aggregates::Windows;
use crate::delete;
use crate::delete::Deletion;
use crate::matcher::{MatchOp, Matcher};
use crate::samples::Samples;
use crate::wal::frame::{Frame, Frames};
use crate::wal::record;

/// The bytes of a chunk: its samples, if they are one.
#[must_use]
pub fn chunk(bytes: &[u8]) -> Option<Samples> {
    let mut samples = Samples::default();
    crate::chunk::decode(bytes, &mut samples).map(|()| samples)
}

/// The bytes of a chunk of aggregates: those, if they are one. What is written of them is read as the same.
#[must_use]
pub fn aggregates(bytes: &[u8]) -> Option<Vec<Aggregate>> {
    let mut windows = Windows::default();
    windows.decode(Resolution::FiveMinutes, bytes)?;
    let mut again = Windows::default();
    for chunk in windows.chunks() {
        again.decode(Resolution::FiveMinutes, &chunk.bytes).expect("what was written can be read");
    }
    assert_eq!((again.rows.len(), again.histograms.len()), (windows.rows.len(), windows.histograms.len()));
    Some(windows.rows)
}

/// The bytes of a segment or a checkpoint behind the first eight: how many records are whole and known.
#[must_use]
pub fn wal(bytes: &[u8]) -> usize {
    // A payload is read as well where its checksum would never be right.
    let known = usize::from(record::read(bytes).is_some());
    let records = Frames::new(bytes, 0).filter(|frame| match frame {
        Frame::Record { payload, .. } => record::read(payload).is_some(),
        Frame::Damage { .. } => false,
    });
    known + records.count()
}

/// The bytes of a block's index, its checksums set right first so that what lies behind them is reached: the number of
/// its series.
#[must_use]
pub fn index(bytes: &[u8]) -> Option<usize> {
    let third = bytes.len() / 3;
    let (symbols, rest) = bytes.split_at(third);
    let (places, postings) = rest.split_at(third);
    let loose = Index::read(symbols, places, postings, third as u64);
    for index in [loose, Index::of_file(bytes).map(|(index, _)| index)].into_iter().flatten() {
        walk(&index, bytes);
    }
    Index::of_file(bytes).map(|(index, _)| index.series())
}

/// The bytes of a block's tombstones, and of a deletion that is being done, behind their first eight; their checksums are set
/// right first: whether they are whole. What is written of them is read as the same.
#[must_use]
pub fn deletion(bytes: &[u8]) -> bool {
    let seal = |magic: &[u8]| {
        let mut file = [magic, bytes].concat();
        let crc = crc32fast::hash(&file);
        file.extend_from_slice(&crc.to_le_bytes());
        file
    };
    let tombstones = Tombstones::read(&seal(tombstones::MAGIC));
    if let Some(tombstones) = &tombstones {
        assert_eq!(Tombstones::read(&tombstones.write()).as_ref(), Some(tombstones));
    }
    let deletion = Deletion::read(&seal(delete::MAGIC));
    if let Some(deletion) = &deletion {
        assert_eq!(Deletion::read(&deletion.write()).as_ref(), Some(deletion));
    }
    tombstones.is_some() || deletion.is_some()
}

/// The lines of a block's facts, its checksum set right first: whether they are known. What is written of them is read
/// as the same.
#[must_use]
pub fn meta(lines: &str) -> bool {
    let text = format!("{lines}crc32 {:08x}\n", crc32fast::hash(lines.as_bytes()));
    let meta = Meta::read(&text);
    if let Some(meta) = &meta {
        assert_eq!(Meta::read(&meta.write()).as_ref(), Some(meta));
    }
    meta.is_some()
}

fn walk(index: &Index, bytes: &[u8]) {
    let any = Matcher::new("a", MatchOp::Regex, ".+").expect("a pattern that is known");
    let _ = index.postings(&any);
    for name in index.label_names() {
        index.label_values(name).for_each(drop);
    }
    let mut entry = bytes.to_vec();
    let crc = crc32fast::hash(&entry).to_le_bytes();
    entry.extend_from_slice(&crc);
    let _ = index.entry(&entry, (i64::MIN, i64::MAX), &mut String::new());
    for series in 0..index.series() {
        let _ = index.place(series);
    }
}
