//! Numbers as they were written, from stores that widen or box them.

/// Integers up to here are floats exactly.
const EXACT: u64 = 1 << 53;

/// The integer as a 64-bit float.
///
/// # Errors
/// What was expected, of an integer that such a float does not hold exactly.
pub fn exact(integer: i64) -> Result<f64, String> {
    if integer.unsigned_abs() > EXACT {
        return Err("an integer that a 64-bit float holds exactly, got a larger one".to_owned());
    }
    Ok(integer as f64)
}

/// The number that a 32-bit float was written from. Feast's Float32 comes widened: 29.85 as 29.850000381469727, which is on the
/// other side of a split at 29.85 than the number that the model learned from.
pub fn as_written(float: f64) -> f64 {
    let single = float as f32;
    let is_widened = f64::from(single).to_bits() == float.to_bits() && float.fract() != 0.0;
    if is_widened { single.to_string().parse().unwrap_or(float) } else { float }
}
