//! The small text file that makes a directory a block.

use std::fmt::Write;

use crate::format;

/// What a block is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Oldest sample.
    pub(crate) min_time: i64,
    /// Newest sample.
    pub(crate) max_time: i64,
    /// The range that it stands for begins here,
    pub(crate) range_start: i64,
    /// and ends before this.
    pub(crate) range_end: i64,
    pub(crate) series: u64,
    pub(crate) chunks: u64,
    pub(crate) samples: u64,
    /// The format: an earlier release refuses a block with samples that it does not know.
    pub(crate) format: u8,
    /// How often it was compacted: 1 comes from the head.
    pub(crate) level: u64,
    /// The blocks that it was made of, and those they were made of: all are replaced by it.
    pub(crate) sources: Vec<u64>,
    /// Length of the windows where it holds aggregates; 0 where it holds samples.
    pub(crate) resolution_ms: i64,
}

const NAME: &str = "streamflow block ";

/// The format of a whole meta file that a later release wrote.
pub(crate) fn newer(text: &str) -> Option<u64> {
    let (body, crc) = text.strip_suffix('\n')?.rsplit_once("crc32 ")?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(body.as_bytes()) {
        return None;
    }
    let format = body.lines().next()?.strip_prefix(NAME)?.parse().ok()?;
    (format > u64::from(format::STARTS)).then_some(format)
}

impl Meta {
    pub(crate) fn write(&self) -> String {
        let mut text = format!("{NAME}{}\n", self.format.max(format::NUMBERS));
        let sources: Vec<String> = self.sources.iter().map(u64::to_string).collect();
        let lines: [(&str, String); 9] = [
            ("min_time_ms", self.min_time.to_string()),
            ("max_time_ms", self.max_time.to_string()),
            ("range_start_ms", self.range_start.to_string()),
            ("range_end_ms", self.range_end.to_string()),
            ("series", self.series.to_string()),
            ("chunks", self.chunks.to_string()),
            ("samples", self.samples.to_string()),
            ("level", self.level.to_string()),
            ("sources", sources.join(",")),
        ];
        for (key, value) in lines {
            writeln!(text, "{key} {value}").expect("a string takes everything");
        }
        if self.resolution_ms != 0 {
            writeln!(text, "resolution_ms {}", self.resolution_ms).expect("a string takes everything");
        }
        let crc = crc32fast::hash(text.as_bytes());
        writeln!(text, "crc32 {crc:08x}").expect("a string takes everything");
        text
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let (body, crc) = text.strip_suffix('\n')?.rsplit_once("crc32 ")?;
        if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(body.as_bytes()) {
            return None;
        }
        let mut lines = body.lines();
        let mut meta = Self::default();
        let format = lines.next()?.strip_prefix(NAME)?.parse().ok()?;
        meta.format = Some(format).filter(|format| format::KNOWN.contains(format))?;
        for line in lines {
            let (key, value) = line.split_once(' ')?;
            match key {
                "min_time_ms" => meta.min_time = value.parse().ok()?,
                "max_time_ms" => meta.max_time = value.parse().ok()?,
                "range_start_ms" => meta.range_start = value.parse().ok()?,
                "range_end_ms" => meta.range_end = value.parse().ok()?,
                "series" => meta.series = value.parse().ok()?,
                "chunks" => meta.chunks = value.parse().ok()?,
                "samples" => meta.samples = value.parse().ok()?,
                "level" => meta.level = value.parse().ok()?,
                "sources" => meta.sources = value.split(',').flat_map(str::parse).collect(),
                "resolution_ms" => meta.resolution_ms = value.parse().ok()?,
                // A later writer may say more.
                _ => {}
            }
        }
        Some(meta)
    }

    pub(crate) fn overlaps(&self, min: i64, max: i64) -> bool {
        self.min_time <= max && self.max_time >= min
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_comes_back_and_no_byte_may_change() {
        let meta = Meta {
            format: format::STARTS,
            min_time: -5,
            max_time: 7,
            range_end: 10,
            series: 2,
            sources: vec![1, 2],
            resolution_ms: 300_000,
            ..Meta::default()
        };
        let text = meta.write();
        assert_eq!(Meta::read(&text), Some(meta));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let flipped = String::from_utf8_lossy(&bytes).into_owned();
            assert!(Meta::read(&flipped).is_none(), "byte {at}");
        }
    }
}
