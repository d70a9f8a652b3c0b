//! Control of the false discovery rate over many tests.

/// Adjusted p-values: column i may be called different at false discovery rate α when its adjusted p is ≤ α.
///
/// With the k counted p-values in ascending order, adjusted p₍ᵢ₎ = min over j ≥ i of k p₍ⱼ₎ / j, at most 1. Order of
/// the input is kept. NaN stays NaN and is not counted. Valid for independent and positively dependent tests.
/// O(k log k).
///
/// Source: Y. Benjamini and Y. Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Reproduces
/// `scipy.stats.false_discovery_control(p, method="bh")` of SciPy 1.17.1.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&index| !p_values[index].is_nan()).collect();
    order.sort_by(|&left, &right| p_values[left].total_cmp(&p_values[right]));
    let count = order.len() as f64;
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut smallest = 1.0_f64;
    for (position, &index) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * (count / (position + 1) as f64));
        adjusted[index] = smallest;
    }
    adjusted
}
