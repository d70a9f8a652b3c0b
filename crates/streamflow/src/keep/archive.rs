//! A backup in one file: a tar archive, as it is or compressed, with the manifest behind the files.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, EntryType, Header};

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// The ends of the names of archives.
const ENDS: [(&str, Packing); 5] = [
    (".tar", Packing::Plain),
    (".tar.gz", Packing::Gzip),
    (".tgz", Packing::Gzip),
    (".tar.zst", Packing::Zstd),
    (".tzst", Packing::Zstd),
];

/// Those of archives and packed files of other kinds.
const OTHER_ENDS: [&str; 14] = [
    ".zip", ".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".tbz", ".tbz2", ".txz", ".cpio",
    ".iso",
];

impl Packing {
    /// Whether the name is that of an archive of another kind.
    pub fn is_another(path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        !path.is_dir()
            && (OTHER_ENDS.iter().any(|end| name.ends_with(end)) || Self::of(Path::new(&name)).is_some())
    }

    /// What the name of an archive says; none for one of a folder.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, packing)| *packing)
    }

    /// What the first bytes of a file say.
    fn read(file: &Path) -> io::Result<Self> {
        let mut first = Vec::new();
        File::open(file)?.take(4).read_to_end(&mut first)?;
        Ok(match first[..] {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Packing::Zstd,
            _ => Packing::Plain,
        })
    }
}

/// Writes an archive.
pub struct Writer(Builder<Packed>);

/// Where the bytes of an archive go.
enum Packed {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(out) => out.write(bytes),
            Packed::Gzip(out) => out.write(bytes),
            Packed::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::Plain(out) => out.flush(),
            Packed::Gzip(out) => out.flush(),
            Packed::Zstd(out) => out.flush(),
        }
    }
}

impl Writer {
    pub fn create(path: &Path, packing: Packing) -> io::Result<Self> {
        let out = BufWriter::new(File::create(path)?);
        Ok(Self(Builder::new(match packing {
            Packing::Plain => Packed::Plain(out),
            Packing::Gzip => Packed::Gzip(GzEncoder::new(out, flate2::Compression::default())),
            Packing::Zstd => Packed::Zstd(zstd::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        })))
    }

    /// Adds a file of `size_bytes`, dated `seconds` after 1970.
    pub fn add(&mut self, path: &str, size_bytes: u64, seconds: u64, from: &mut dyn Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(size_bytes);
        header.set_mode(0o600);
        header.set_mtime(seconds);
        self.0.append_data(&mut header, path, from)
    }

    /// Ends the archive and forces it to the disk.
    pub fn finish(self) -> io::Result<u64> {
        let out = match self.0.into_inner()? {
            Packed::Plain(out) => out,
            Packed::Gzip(out) => out.finish()?,
            Packed::Zstd(out) => out.finish()?,
        };
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

/// Hands every file of an archive to `sink`, with its path and its size, in the order in which they lie there.
pub fn read(
    path: &Path,
    mut sink: impl FnMut(&str, u64, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let shown = path.display();
    let open = || {
        let packing = Packing::read(path)?;
        let file = BufReader::new(File::open(path)?);
        io::Result::Ok(match packing {
            Packing::Plain => Box::new(file) as Box<dyn Read>,
            Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
            Packing::Zstd => Box::new(zstd::Decoder::with_buffer(file)?),
        })
    };
    let mut archive = Archive::new(open().with_context(|| format!("cannot read {shown}"))?);
    let damaged = || format!("the archive {shown} is damaged or cut off; restore another backup");
    for entry in archive.entries().with_context(damaged)? {
        let mut entry = entry.with_context(damaged)?;
        let name = entry.path().with_context(damaged)?.into_owned();
        let name = name.to_str().with_context(damaged)?;
        if entry.header().entry_type() != EntryType::Regular {
            bail!("the archive {shown} holds {name:?}, which is no plain file; a backup has no others");
        }
        let size = entry.size();
        sink(name, size, &mut entry)?;
    }
    Ok(())
}
