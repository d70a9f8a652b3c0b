//! A Parquet file that ends. The decoder reads page headers from where they begin to wherever their parts lead, and skips
//! what it does not know; past the end of the file it asks once for every element of a list whose length is damaged, which
//! may be billions.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};

/// How often a reader may find that the file has ended. A sound header asks once or twice.
const ENDS: u32 = 64;

pub(crate) struct Ending<R>(pub(crate) Arc<R>);

impl<R: ChunkReader> Length for Ending<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Ending<R> {
    type T = UntilEnd<R::T>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(UntilEnd { reader: self.0.get_read(start)?, ends: 0 })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// A reader that fails when it is asked on and on after its end.
pub(crate) struct UntilEnd<T> {
    reader: T,
    ends: u32,
}

impl<T: Read> Read for UntilEnd<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.ends += 1;
            if self.ends > ENDS {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_an_end() {
        let mut reader = UntilEnd { reader: &b"abc"[..], ends: 0 };
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer).unwrap(), 3);
        for _ in 0..ENDS {
            assert_eq!(reader.read(&mut buffer).unwrap(), 0);
            assert_eq!(reader.read(&mut []).unwrap(), 0);
        }
        assert_eq!(reader.read(&mut buffer).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    /// Without an end it is read for minutes.
    #[test]
    fn a_long_list_in_a_page_header_is_damage() {
        let file = include_bytes!("../../tests/fixtures/long_list_in_page_header.parquet").to_vec();
        let read = crate::TableFile::from_bytes("damaged", file).map(|mut table| {
            let names = table.names().to_vec();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let reading =
                crate::Reading { memory_bytes: 1 << 20, threads: 1, whole_rows: false, progress: &|_| {} };
            table.count(&names, &reading).map(drop)
        });
        assert!(read.is_err() || read.is_ok_and(|counted| counted.is_err()));
    }
}
