//! A checksum over all bytes of a Parquet file, within the file.
//!
//! Parquet's own checksums are of pages and leave out the footer, and the writer in use does not write them. So the
//! footer's key-value metadata has the CRC-32 (IEEE 802.3) of the whole file as eight hexadecimal digits, computed as if
//! they were zeros. Readers that do not know the key read the file as any other.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use parquet::file::metadata::KeyValue;

use crate::error::Error;

/// The name of the checksum in the metadata.
const KEY: &str = "streamflow.crc32";
/// What stands in its place while it is computed.
const BLANK: &str = "00000000";
/// What the compact protocol of Thrift has between a name and a value of eight bytes: the next field, a text, its length.
const BETWEEN: [u8; 2] = [0x18, 8];
/// The length of the footer and `PAR1`, which end a file.
const END_BYTES: u64 = 8;
/// Most bytes of a footer that are looked at.
const MOST_FOOTER_BYTES: u64 = 64 << 20;
const CHUNK_BYTES: usize = 1 << 18;

/// What the checksum of a file says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intactness {
    /// The bytes are those that were written.
    Intact,
    /// Some bytes are not those that were written.
    Damaged,
    /// The file has no checksum.
    Unknown,
}

/// The entry of the metadata, before the checksum is known.
pub(super) fn blank() -> KeyValue {
    KeyValue::new(KEY.to_owned(), BLANK.to_owned())
}

/// Puts the checksum into a file that has [`blank`] as its last metadata.
pub(super) fn seal(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let missing = || io::Error::other("the footer has no place for the checksum");
    let place = place(&mut file)?.ok_or_else(missing)?;
    let checksum = computed(&mut file, place)?;
    file.write_all_at(format!("{checksum:08x}").as_bytes(), place)
}

/// Holds a Parquet file against the checksum that it was written with. Reads all of its bytes.
///
/// # Errors
/// [`Error::Io`].
pub fn intactness(path: &Path) -> Result<Intactness, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut look = || {
        let Some(place) = place(&mut file)? else { return Ok(Intactness::Unknown) };
        let mut digits = [0; BLANK.len()];
        file.read_exact_at(&mut digits, place)?;
        let written = str::from_utf8(&digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let is_intact = written == Some(computed(&mut file, place)?);
        Ok(if is_intact { Intactness::Intact } else { Intactness::Damaged })
    };
    look().map_err(Error::io("read", path))
}

/// Where in a file the digits stand; none without any.
fn place(file: &mut File) -> io::Result<Option<u64>> {
    let size = file.seek(SeekFrom::End(0))?;
    let Some(end) = size.checked_sub(END_BYTES) else { return Ok(None) };
    let mut length = [0; 4];
    file.read_exact_at(&mut length, end)?;
    let length = u64::from(u32::from_le_bytes(length)).min(MOST_FOOTER_BYTES);
    let Some(start) = end.checked_sub(length) else { return Ok(None) };
    let mut footer = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length).read_to_end(&mut footer)?;
    let name = [KEY.as_bytes(), &BETWEEN].concat();
    // The last one: texts of the columns come before the metadata.
    let found = footer.windows(name.len()).rposition(|bytes| bytes == name);
    let digits = found.map(|at| at + name.len()).filter(|at| at + BLANK.len() <= footer.len());
    Ok(digits.map(|at| start + at as u64))
}

/// The checksum of a file whose digits stand at `place`.
fn computed(file: &mut File, place: u64) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    file.seek(SeekFrom::Start(0))?;
    hash(&mut hasher, file.take(place))?;
    hasher.update(BLANK.as_bytes());
    file.seek(SeekFrom::Start(place + BLANK.len() as u64))?;
    hash(&mut hasher, file)?;
    Ok(hasher.finalize())
}

fn hash(hasher: &mut crc32fast::Hasher, mut bytes: impl Read) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match bytes.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => hasher.update(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OutputColumn, OutputFormat, OutputType, TableRows, TableWriter};
    use super::*;
    use crate::format::CsvOptions;

    fn written(path: &Path) {
        let columns = [("name".to_owned(), OutputType::Text), ("score".to_owned(), OutputType::Double)];
        let mut writer = TableWriter::create(path, OutputFormat::Parquet, &columns).unwrap();
        // A text that looks like the checksum's name does not take its place.
        let names = ["streamflow.crc32\u{18}\u{8}12345678", "ada"];
        let names = OutputColumn::Text(names.map(|name| Some(name.to_owned())).into());
        writer.write(vec![names, OutputColumn::Double(vec![0.25, 0.5])]).unwrap();
        writer.finish_with_checksum().unwrap();
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        written(&path);
        assert_eq!(intactness(&path).unwrap(), Intactness::Intact);
        assert_eq!(TableRows::open(&path, CsvOptions::default()).unwrap().header(), ["name", "score"]);
        let whole = std::fs::read(&path).unwrap();
        let digits = place(&mut File::open(&path).unwrap()).unwrap().unwrap();
        let name = usize::try_from(digits).unwrap() - KEY.len() - BETWEEN.len();
        let size = whole.len();
        for byte in 0..size {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << (byte % 8);
            std::fs::write(&path, bytes).unwrap();
            let found = intactness(&path).unwrap();
            // Without its name or the footer's length the checksum is not found: the first harms no value, the second is
            // refused by whoever reads the footer.
            let is_hidden = (name..name + KEY.len() + BETWEEN.len()).contains(&byte)
                || (size - 8..size - 4).contains(&byte);
            assert!(found == Intactness::Damaged || is_hidden, "byte {byte} of {size}: {found:?}");
        }
    }

    #[test]
    fn a_file_without_a_checksum_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let columns = [("score".to_owned(), OutputType::Double)];
        let mut writer = TableWriter::create(&path, OutputFormat::Parquet, &columns).unwrap();
        writer.write(vec![OutputColumn::Double(vec![0.25])]).unwrap();
        writer.finish().unwrap();
        assert_eq!(intactness(&path).unwrap(), Intactness::Unknown);
        for bytes in [&b""[..], b"PAR1", b"no table at all", &[0xff; 40]] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(intactness(&path).unwrap(), Intactness::Unknown);
        }
        assert!(matches!(intactness(&folder.path().join("gone")), Err(Error::Io { .. })));
    }
}
