//! A request of either version as a receiver reads it: texts stay in the bytes of the message, and samples of all series
//! stand in one list, so that a request costs a few allocations however many series it has.

use std::ops::Range;

use prost::Message;

use super::fields::{Field, Fields};
use super::{Limits, MetricMetadata, NativeHistogram, Sample, count_messages, within};
use crate::error::Error;

/// A label: its name and its value.
pub type Pair<'a> = (&'a str, &'a str);

/// What one request carries.
#[derive(Debug, Default)]
pub struct Received<'a> {
    labels: Vec<Pair<'a>>,
    samples: Vec<Sample>,
    histograms: Vec<NativeHistogram>,
    exemplars: Vec<Exemplar>,
    series: Vec<Parts<'a>>,
    metadata: Vec<MetricMetadata>,
}

/// Where the parts of a series stand.
#[derive(Debug)]
struct Parts<'a> {
    labels: Result<Range<usize>, Error>,
    samples: Range<usize>,
    histograms: Range<usize>,
    exemplars: Range<usize>,
    meaning: Option<Result<Meaning<'a>, Error>>,
    created: i64,
}

#[derive(Debug)]
struct Exemplar {
    labels: Result<Range<usize>, Error>,
    value: f64,
    timestamp: i64,
}

/// What the family of a series means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning<'a> {
    /// As [`MetricMetadata::kind`].
    pub kind: i32,
    /// Its help.
    pub help: &'a str,
    /// Its unit.
    pub unit: &'a str,
}

/// Samples of one series.
#[derive(Debug, Clone, Copy)]
pub struct Series<'r, 'a> {
    of: &'r Received<'a>,
    parts: &'r Parts<'a>,
}

impl<'a> Received<'a> {
    /// Reads a message of version 1, as [`unpack`](super::unpack) gives it.
    ///
    /// # Errors
    /// When the bytes are no `WriteRequest`, or have more messages than the limits allow. Of a series with a text that is no
    /// UTF-8, [`Series::labels`] says so.
    pub fn v1(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, limits);
        let mut fields = Fields(bytes);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => reader.series_v1(field.bytes("a series")?)?,
                3 => {
                    reader.count(1)?;
                    reader.read.metadata.push(message(field.bytes("metadata")?)?);
                }
                _ => {}
            }
        }
        Ok(reader.read)
    }

    /// Reads a message of version 2, as [`unpack`](super::unpack) gives it.
    ///
    /// # Errors
    /// When the bytes are no `Request`, or have more messages than the limits allow. Of a series that names what is not
    /// in the table of symbols, or is no UTF-8, [`Series::labels`] says so.
    pub fn v2(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, limits);
        let (mut fields, mut series) = (Fields(bytes), Vec::new());
        while let Some((number, field)) = fields.next()? {
            match number {
                4 => {
                    reader.count(1)?;
                    reader.symbols.push(field.bytes("a symbol")?);
                }
                5 => {
                    reader.count(1)?;
                    series.push(field.bytes("a series")?);
                }
                _ => {}
            }
        }
        series.into_iter().try_for_each(|bytes| reader.series_v2(bytes))?;
        Ok(reader.read)
    }

    /// How many samples all series have, without histograms.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.samples.len()
    }

    /// The series, in their order.
    pub fn series(&self) -> impl ExactSizeIterator<Item = Series<'_, 'a>> {
        self.series.iter().map(|parts| Series { of: self, parts })
    }

    /// What families mean; of version 2 each series says it.
    #[must_use]
    pub fn metadata(&self) -> &[MetricMetadata] {
        &self.metadata
    }
}

impl<'r, 'a> Series<'r, 'a> {
    /// The labels as they were sent; a receiver checks them.
    ///
    /// # Errors
    /// What of them is not in the table of symbols, or no UTF-8.
    pub fn labels(self) -> Result<&'r [Pair<'a>], &'r Error> {
        self.parts.labels.as_ref().map(|range| &self.of.labels[range.clone()])
    }

    /// Its samples; a receiver checks that they are sorted by time.
    #[must_use]
    pub fn samples(self) -> &'r [Sample] {
        &self.of.samples[self.parts.samples.clone()]
    }

    /// Its histograms; a receiver checks that they are sorted by time.
    #[must_use]
    pub fn histograms(self) -> &'r [NativeHistogram] {
        &self.of.histograms[self.parts.histograms.clone()]
    }

    /// Labels, value and time in milliseconds of each example behind its values.
    pub fn exemplars(self) -> impl Iterator<Item = (Result<&'r [Pair<'a>], &'r Error>, f64, i64)> {
        self.of.exemplars[self.parts.exemplars.clone()].iter().map(move |exemplar| {
            let labels = exemplar.labels.as_ref().map(|range| &self.of.labels[range.clone()]);
            (labels, exemplar.value, exemplar.timestamp)
        })
    }

    /// What its family means, where the series says it.
    #[must_use]
    pub fn meaning(self) -> Option<&'r Result<Meaning<'a>, Error>> {
        self.parts.meaning.as_ref()
    }

    /// When the counter began, milliseconds since 1970; 0 where the series does not say it.
    #[must_use]
    pub fn created(self) -> i64 {
        self.parts.created
    }
}

/// A request that is being read, with what may still be in it.
struct Reader<'a> {
    read: Received<'a>,
    symbols: Vec<&'a [u8]>,
    /// Places in the table of symbols.
    places: Vec<u32>,
    limits: Limits,
    messages: u64,
    named_bytes: u64,
}

impl<'a> Reader<'a> {
    fn new(bytes: &[u8], limits: &Limits) -> Self {
        let (symbols, places) = Default::default();
        // A sample takes eighteen bytes or more, so that most requests never grow the list.
        let read = Received { samples: Vec::with_capacity(bytes.len() / 18), ..Received::default() };
        Self { read, symbols, places, limits: *limits, messages: 0, named_bytes: 0 }
    }

    fn count(&mut self, messages: u64) -> Result<(), Error> {
        self.messages += messages;
        within("messages in the request", self.messages, self.limits.messages)
    }

    /// Where the next series begins; its labels are told when it has been read.
    fn begin(&self) -> Parts<'a> {
        let from = |length: usize| length..length;
        let read = &self.read;
        Parts {
            labels: Ok(0..0),
            samples: from(read.samples.len()),
            histograms: from(read.histograms.len()),
            exemplars: from(read.exemplars.len()),
            meaning: None,
            created: 0,
        }
    }

    /// Takes the series that ends here.
    fn end(&mut self, mut parts: Parts<'a>) {
        parts.samples.end = self.read.samples.len();
        parts.histograms.end = self.read.histograms.len();
        parts.exemplars.end = self.read.exemplars.len();
        self.read.series.push(parts);
    }

    fn series_v1(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        self.count(1)?;
        let (mut parts, from) = (self.begin(), self.read.labels.len());
        let (mut fields, mut exemplars, mut labels) = (Fields(bytes), Vec::new(), Ok(()));
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => labels = labels.and(self.label(field)?),
                2 => self.sample(field)?,
                3 => exemplars.push(field.bytes("an exemplar")?),
                4 => self.histogram(field)?,
                _ => {}
            }
        }
        // Their labels follow those of the series, which have to stand together.
        parts.labels = labels.map(|()| from..self.read.labels.len());
        exemplars.into_iter().try_for_each(|bytes| self.exemplar_v1(bytes))?;
        self.end(parts);
        Ok(())
    }

    /// Takes a label; the error inside is that of its texts, which concerns their series alone.
    fn label(&mut self, field: Field<'a>) -> Result<Result<(), Error>, Error> {
        self.count(1)?;
        let mut fields = Fields(field.bytes("a label")?);
        let (mut name, mut value): (&[u8], &[u8]) = (b"", b"");
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => name = field.bytes("the name of a label")?,
                2 => value = field.bytes("the value of a label")?,
                _ => {}
            }
        }
        let pair = text(name).and_then(|name| Ok((name, text(value)?)));
        Ok(pair.map(|pair| self.read.labels.push(pair)))
    }

    #[inline]
    fn sample(&mut self, field: Field<'_>) -> Result<(), Error> {
        self.count(1)?;
        let bytes = field.bytes("a sample")?;
        if let Some(sample) = usual_sample(bytes) {
            self.read.samples.push(sample);
            return Ok(());
        }
        let (mut fields, mut sample) = (Fields(bytes), Sample::new(0, 0.0));
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => sample.value = field.float("the value of a sample")?,
                2 => sample.timestamp = field.number("the time of a sample")?.cast_signed(),
                3 => sample.start_timestamp = field.number("the start of a sample")?.cast_signed(),
                _ => {}
            }
        }
        self.read.samples.push(sample);
        Ok(())
    }

    fn histogram(&mut self, field: Field<'_>) -> Result<(), Error> {
        let bytes = field.bytes("a histogram")?;
        let mut messages = 1;
        count_messages(bytes, 1, &mut messages);
        self.count(messages)?;
        self.read.histograms.push(message(bytes)?);
        Ok(())
    }

    fn exemplar_v1(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        self.count(1)?;
        let from = self.read.labels.len();
        let mut exemplar = Exemplar { labels: Ok(0..0), value: 0.0, timestamp: 0 };
        let (mut fields, mut labels) = (Fields(bytes), Ok(()));
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => labels = labels.and(self.label(field)?),
                2 => exemplar.value = field.float("the value of an exemplar")?,
                3 => exemplar.timestamp = field.number("the time of an exemplar")?.cast_signed(),
                _ => {}
            }
        }
        exemplar.labels = labels.map(|()| from..self.read.labels.len());
        self.read.exemplars.push(exemplar);
        Ok(())
    }

    fn series_v2(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        let mut parts = self.begin();
        let (mut fields, mut exemplars, mut meaning) = (Fields(bytes), Vec::new(), None);
        self.places.clear();
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => self.places(field)?,
                2 => self.sample(field)?,
                3 => self.histogram(field)?,
                4 => exemplars.push(field.bytes("an exemplar")?),
                5 => read_meaning(field.bytes("metadata")?, meaning.get_or_insert_default())?,
                6 => parts.created = field.number("the creation of a series")?.cast_signed(),
                _ => {}
            }
        }
        parts.labels = self.named();
        parts.meaning = meaning.map(|meaning| self.meaning(meaning));
        exemplars.into_iter().try_for_each(|bytes| self.exemplar_v2(bytes))?;
        self.end(parts);
        Ok(())
    }

    fn exemplar_v2(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        self.count(1)?;
        let mut exemplar = Exemplar { labels: Ok(0..0), value: 0.0, timestamp: 0 };
        let mut fields = Fields(bytes);
        self.places.clear();
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => self.places(field)?,
                2 => exemplar.value = field.float("the value of an exemplar")?,
                3 => exemplar.timestamp = field.number("the time of an exemplar")?.cast_signed(),
                _ => {}
            }
        }
        exemplar.labels = self.named();
        self.read.exemplars.push(exemplar);
        Ok(())
    }

    /// Places in the table of symbols, packed or one alone.
    fn places(&mut self, field: Field<'_>) -> Result<(), Error> {
        let before = self.places.len();
        match field {
            Field::Bytes(bytes) => {
                let mut packed = Fields(bytes);
                while !packed.0.is_empty() {
                    self.places.push(packed.number()? as u32);
                }
            }
            field => self.places.push(field.number("a place in the table of symbols")? as u32),
        }
        self.count((self.places.len() - before) as u64)
    }

    /// The labels that the places name, which are taken.
    fn named(&mut self) -> Result<Range<usize>, Error> {
        let places = std::mem::take(&mut self.places);
        let from = self.read.labels.len();
        let named = self.name_all(&places);
        self.places = places;
        if let Err(error) = named {
            self.read.labels.truncate(from);
            return Err(error);
        }
        Ok(from..self.read.labels.len())
    }

    fn name_all(&mut self, places: &[u32]) -> Result<(), Error> {
        let (pairs, []) = places.as_chunks::<2>() else {
            return Err(Error::Symbol("a label has a name and no value".to_owned()));
        };
        for [name, value] in pairs {
            let pair = (self.symbol(*name)?, self.symbol(*value)?);
            self.read.labels.push(pair);
        }
        Ok(())
    }

    fn meaning(&mut self, (kind, help, unit): (i32, u32, u32)) -> Result<Meaning<'a>, Error> {
        Ok(Meaning { kind, help: self.symbol(help)?, unit: self.symbol(unit)? })
    }

    /// A few bytes may name a long text again and again, so how many bytes are named in all is bounded.
    fn symbol(&mut self, place: u32) -> Result<&'a str, Error> {
        let found = usize::try_from(place).ok().and_then(|place| self.symbols.get(place));
        let bytes = found.ok_or_else(|| {
            Error::Symbol(format!("the symbol {place} is not in the table of {}", self.symbols.len()))
        })?;
        let named = self.named_bytes + bytes.len() as u64;
        within("bytes that symbols stand for", named, self.limits.named_bytes)?;
        self.named_bytes = named;
        text(bytes)
    }
}

/// A sample as nearly all are written: its value, then its time, and nothing else.
#[inline]
fn usual_sample(bytes: &[u8]) -> Option<Sample> {
    let (&[VALUE, ref value @ .., TIME], time) = bytes.split_first_chunk::<10>()? else { return None };
    let (last, more) = time.split_last().filter(|(last, more)| **last < 0x80 && more.len() < 9)?;
    let mut timestamp = u64::from(*last) << (7 * more.len());
    for (place, byte) in more.iter().enumerate() {
        if *byte < 0x80 {
            return None;
        }
        timestamp |= u64::from(byte & 0x7f) << (7 * place);
    }
    Some(Sample::new(timestamp.cast_signed(), f64::from_le_bytes(*value)))
}

/// Keys of a sample's fields: their numbers and wire types.
const VALUE: u8 = 1 << 3 | 1;
const TIME: u8 = 2 << 3;

fn text(bytes: &[u8]) -> Result<&str, Error> {
    str::from_utf8(bytes).map_err(|error| {
        let shown = bytes.escape_ascii();
        Error::Symbol(format!("the text \"{shown}\" of a label or of metadata is no UTF-8: {error}"))
    })
}

/// Kind, and the places of help and unit; what is not said stays.
fn read_meaning(bytes: &[u8], into: &mut (i32, u32, u32)) -> Result<(), Error> {
    let mut fields = Fields(bytes);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => into.0 = field.number("the kind of a family")? as i32,
            3 => into.1 = field.number("the help of a family")? as u32,
            4 => into.2 = field.number("the unit of a family")? as u32,
            _ => {}
        }
    }
    Ok(())
}

fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, Error> {
    M::decode(bytes).map_err(|error| Error::Protobuf(error.to_string()))
}
