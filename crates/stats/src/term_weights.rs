//! Texts as sparse rows of TF-IDF weights.

use std::collections::HashMap;

/// Words read from one text; what follows is ignored, so that one huge text cannot use up memory.
const MOST_WORDS: usize = 1_024;

/// Words read over all training texts; texts beyond it keep no words. Bounds the rows to about 130 MB.
const MOST_TRAINING_WORDS: usize = 8_000_000;

/// Column and weight, columns ascending.
pub(crate) type Row = Vec<(u32, f32)>;

/// The training texts' words with their inverse document frequencies.
pub(crate) struct TermWeights {
    /// From a word's 64-bit hash: words are never stored.
    columns: HashMap<u64, u32>,
    inverse_frequency: Vec<f32>,
}

/// Compressed sparse rows.
pub(crate) struct Rows {
    /// End of each row in `cells`.
    ends: Vec<usize>,
    cells: Row,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn row(&self, index: usize) -> &[(u32, f32)] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.cells[start..self.ends[index]]
    }
}

impl TermWeights {
    /// Learns words and frequencies, and weighs the same texts.
    ///
    /// Columns are numbered by first appearance; words in more than half of the texts are left out.
    pub(crate) fn fit<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> (Self, Rows) {
        let number = texts.len();
        let mut columns: HashMap<u64, u32> = HashMap::new();
        let mut frequency: Vec<u32> = Vec::new();
        let mut rows = Rows { ends: Vec::with_capacity(number), cells: Vec::new() };
        for text in texts {
            let words = if rows.cells.len() < MOST_TRAINING_WORDS { count_words(text) } else { Vec::new() };
            for (word, count) in words {
                let next = frequency.len() as u32;
                let column = *columns.entry(word).or_insert(next);
                if column == next {
                    frequency.push(0);
                }
                frequency[column as usize] += 1;
                rows.cells.push((column, count));
            }
            rows.ends.push(rows.cells.len());
        }
        let inverse_frequency = frequency
            .iter()
            .map(|&df| {
                let common = f64::from(df) > 0.5 * number as f64;
                let weight = ((1.0 + number as f64) / (1.0 + f64::from(df))).ln() + 1.0;
                if common { 0.0 } else { weight as f32 }
            })
            .collect();
        let terms = Self { columns, inverse_frequency };
        let mut start = 0;
        for &end in &rows.ends {
            terms.normalise(&mut rows.cells[start..end]);
            start = end;
        }
        (terms, rows)
    }

    /// Number of columns.
    pub(crate) fn len(&self) -> usize {
        self.inverse_frequency.len()
    }

    /// The row of a text; words not seen in training are left out.
    pub(crate) fn weigh(&self, text: &str) -> Row {
        let words = count_words(text).into_iter();
        let mut row: Row = words
            .filter_map(|(word, count)| self.columns.get(&word).map(|column| (*column, count)))
            .collect();
        self.normalise(&mut row);
        row
    }

    /// From counts to weights of unit length; a row without weight stays zero.
    fn normalise(&self, row: &mut [(u32, f32)]) {
        let mut squares = 0.0;
        for (column, cell) in row.iter_mut() {
            *cell = (1.0 + cell.ln()) * self.inverse_frequency[*column as usize];
            squares += *cell * *cell;
        }
        if squares > 0.0 {
            let scale = 1.0 / squares.sqrt();
            row.iter_mut().for_each(|(_, cell)| *cell *= scale);
        }
    }
}

/// Hashes of the distinct words with their counts, ascending by hash.
fn count_words(text: &str) -> Vec<(u64, f32)> {
    let lower = text.to_lowercase();
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let words = lower.split(|letter| !is_part(letter)).filter(|word| word.chars().nth(1).is_some());
    let mut hashes: Vec<u64> = words.take(MOST_WORDS).map(hash).collect();
    hashes.sort_unstable();
    hashes.chunk_by(|left, right| left == right).map(|equal| (equal[0], equal.len() as f32)).collect()
}

/// 64-bit FNV-1a: the standard library's hasher may change between releases, and with it the order of rows.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_scikit_learns() {
        // scikit-learn 1.7.2: TfidfVectorizer(sublinear_tf=True, max_df=0.5).fit(texts).transform(texts), its columns
        // sorted by word; here the weights of each row are sorted instead.
        let texts = ["the cat sat, the Cat slept", "the dog", "a dog_1 sat", "birds sing in the sky"];
        let expected: [&[f32]; 4] = [
            &[0.3721432, 0.4720164, 0.7991933],
            &[1.0000000],
            &[0.6191303, 0.7852883],
            &[0.5, 0.5, 0.5, 0.5],
        ];
        let (_, rows) = TermWeights::fit(texts.into_iter());
        for (index, expected) in expected.into_iter().enumerate() {
            let mut found: Vec<f32> =
                rows.row(index).iter().map(|cell| cell.1).filter(|weight| *weight > 0.0).collect();
            found.sort_by(f32::total_cmp);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
            }
        }
    }
}
