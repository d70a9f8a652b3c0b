//! Rows of Postgres in the binary form of COPY, cut into pieces anywhere: the same rows as in one piece, and every field is a
//! value of every type or refused.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use streamflow::tables::binary::{BinaryError, BinaryRows};
use streamflow::tables::value::Decoder;
use streamflow_dataset::ColumnType;

const DECODERS: [Decoder; 12] = [
    Decoder::Boolean,
    Decoder::Small,
    Decoder::Integer,
    Decoder::Big,
    Decoder::Single,
    Decoder::Double,
    Decoder::Numeric,
    Decoder::Text,
    Decoder::Padded,
    Decoder::Uuid,
    Decoder::Date,
    Decoder::Timestamp,
];
const TYPES: [ColumnType; 5] =
    [ColumnType::String, ColumnType::Integer, ColumnType::Float, ColumnType::Boolean, ColumnType::Date];

#[derive(Debug, Arbitrary)]
struct Input {
    columns: u8,
    /// Whether the bytes begin as the form does.
    has_head: bool,
    cuts: Vec<u8>,
    bytes: Vec<u8>,
}

type Rows = Vec<Vec<Option<Vec<u8>>>>;

fn read(columns: usize, pieces: &[&[u8]]) -> (Rows, Result<bool, BinaryError>) {
    let mut reader = BinaryRows::new(columns);
    let mut rows = Rows::new();
    for piece in pieces {
        reader.add(piece);
        loop {
            match reader.next_row() {
                Ok(Some(row)) => rows.push(row.fields().map(|field| field.map(<[u8]>::to_vec)).collect()),
                Ok(None) => break,
                Err(error) => return (rows, Err(error)),
            }
        }
    }
    (rows, Ok(reader.is_whole()))
}

fuzz_target!(|input: Input| {
    let mut bytes = if input.has_head { b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec() } else { Vec::new() };
    bytes.extend(&input.bytes);
    let columns = usize::from(input.columns % 4);
    let whole = read(columns, &[&bytes]);
    let (mut pieces, mut rest) = (Vec::new(), bytes.as_slice());
    for cut in &input.cuts {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(*cut)));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    let (rows, end) = read(columns, &pieces);
    assert_eq!((&rows, &end), (&whole.0, &whole.1));
    let mut text = String::new();
    for field in rows.iter().flatten().flatten() {
        for decoder in DECODERS {
            for wanted in TYPES {
                let _ = decoder.read(field, wanted, &mut text);
            }
        }
    }
});
