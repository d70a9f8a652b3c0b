//! Whether the values of a column repeat so often that counting them costs less than collecting them.

/// Up to here every column may have as many different values as rows.
const FEW: usize = if cfg!(test) { 8 } else { 1_000 };
/// Beyond, a value must repeat this often on average.
const OFTEN: u64 = 8;
/// More different values than this are never counted: the table would leave the processor's caches.
const MANY: usize = 1 << 16;

/// How often the values of a column repeat; asked now and then, as the answer is not free.
#[derive(Default)]
pub(crate) struct Repeats {
    /// How many were different when it was last asked.
    checked: usize,
}

impl Repeats {
    /// Whether counting costs more than it saves; to be asked when a value was new.
    #[inline]
    pub(crate) fn are_rare(&mut self, rows: u64, distinct: usize) -> bool {
        if distinct < FEW || distinct < self.checked * 2 {
            return false;
        }
        self.checked = distinct;
        distinct > MANY || rows < OFTEN * distinct as u64
    }
}
