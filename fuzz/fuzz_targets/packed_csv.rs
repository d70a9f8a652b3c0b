//! CSV with a separator and in an encoding that the user names, compressed or not: the same columns as the plain text,
//! and once it is damaged, an error or any columns.
#![no_main]

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use streamflow_dataset::{CsvOptions, TableFile};
use streamflow_fuzz::{Damage, count};

#[derive(Debug, Arbitrary)]
struct Input {
    rows: String,
    separator: Option<u8>,
    encoding: Option<Encoding>,
    packing: Option<Packing>,
    damage: Damage,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Encoding {
    Utf16,
    Latin1,
    ShiftJis,
}

#[derive(Debug, Arbitrary)]
enum Packing {
    Gzip,
    Zstd,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Encoding::Utf16 => "utf-16le",
            Encoding::Latin1 => "latin1",
            Encoding::ShiftJis => "shift_jis",
        }
    }

    /// The text in the encoding; `None` where it has letters that are not in it.
    fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Encoding::Utf16 => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            _ => {
                let encoding = encoding_rs::Encoding::for_label(self.name().as_bytes())?;
                let (bytes, _, has_others) = encoding.encode(text);
                (!has_others).then(|| bytes.into_owned())
            }
        }
    }
}

fn packed(bytes: &[u8], packing: &Packing) -> Vec<u8> {
    match packing {
        Packing::Gzip => {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(bytes).and_then(|()| packer.finish()).expect("a file in memory")
        }
        Packing::Zstd => zstd::encode_all(bytes, 1).expect("a file in memory"),
    }
}

fuzz_target!(init: streamflow_fuzz::let_decoders_panic(), |input: Input| {
    let separator = input.separator.map(|byte| char::from(byte).to_string());
    let Ok(plain) = CsvOptions::parse(separator.as_deref(), Some("utf-8")) else { return };
    let Ok(named) = CsvOptions::parse(separator.as_deref(), input.encoding.map(Encoding::name)) else { return };
    // Other first lines may be the magic word of another format.
    let text = format!("id,hours\n{}", input.rows);
    let encoded = input.encoding.map_or_else(|| Some(text.clone().into_bytes()), |named| named.encode(&text));
    let Some(encoded) = encoded else { return };
    let file = input.packing.as_ref().map_or(encoded.clone(), |packing| packed(&encoded, packing));

    let folder = tempfile::tempdir().expect("a folder for files");
    let read = |bytes: &[u8], options: CsvOptions| {
        let path = folder.path().join("table");
        fs::write(&path, bytes).expect("a file");
        TableFile::open_as(&path, options).ok().and_then(count)
    };
    let expected = read(text.as_bytes(), plain);
    let found = read(&input.damage.of(&file), named);
    if input.damage.is_none() {
        assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    }
});
