//! Sums with a running compensation.

/// Adds `value` to a sum and its compensation (Neumaier 1974, doi:10.1002/zamm.19740540106); an infinite sum has none.
#[inline]
pub fn kahan_add(value: f64, sum: &mut f64, compensation: &mut f64) {
    let total = *sum + value;
    if total.is_infinite() {
        *compensation = 0.0;
    } else if sum.abs() >= value.abs() {
        *compensation += (*sum - total) + value;
    } else {
        *compensation += (value - total) + *sum;
    }
    *sum = total;
}
