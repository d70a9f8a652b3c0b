//! Histograms as text.

use std::fmt;

use streamflow_gotext::shortest;

use crate::bounds::Bucket;
use crate::{Buckets, Histogram, ResetHint};

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let (lower, upper) = (shortest(self.lower), shortest(self.upper));
        write!(formatter, "{open}{lower},{upper}{close}:{}", shortest(self.count))
    }
}

/// As Prometheus writes it: `{count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1}`.
impl fmt::Display for Histogram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{{count:{}, sum:{}", shortest(self.count), shortest(self.sum))?;
        for bucket in self.buckets().filter(|bucket| bucket.count != 0.0) {
            write!(formatter, ", {bucket}")?;
        }
        write!(formatter, "}}")
    }
}

impl Histogram {
    /// As the test scripts of Prometheus write it: `{{schema:0 count:4 sum:5 buckets:[1 2 1]}}`.
    #[must_use]
    pub fn to_script(&self) -> String {
        let mut parts = Vec::new();
        let mut number = |name: &str, value: f64| {
            if value != 0.0 {
                parts.push(format!("{name}:{}", shortest(value)));
            }
        };
        number("schema", f64::from(self.schema));
        number("count", self.count);
        number("sum", self.sum);
        number("z_bucket", self.zero_count);
        number("z_bucket_w", self.zero_threshold);
        if !self.custom_bounds.is_empty() {
            parts.push(format!("custom_values:[{}]", spaced(&self.custom_bounds)));
        }
        let hint = match self.reset {
            ResetHint::Unknown => "",
            ResetHint::Reset => "counter_reset_hint:reset",
            ResetHint::NoReset => "counter_reset_hint:not_reset",
            ResetHint::Gauge => "counter_reset_hint:gauge",
        };
        parts.extend((!hint.is_empty()).then(|| hint.to_owned()));
        for (prefix, side) in [("", &self.positive), ("n_", &self.negative)] {
            parts.extend(side_to_script(prefix, side));
        }
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

/// `offset:1 buckets:[1 0 2]`, with the empty buckets between; as many entries as the widest gap allows.
fn side_to_script(prefix: &str, side: &Buckets) -> Vec<String> {
    let Some(&first) = side.indices.first() else { return Vec::new() };
    let mut counts: Vec<f64> = Vec::new();
    for (&index, &count) in side.indices.iter().zip(&side.counts) {
        let place = (i64::from(index) - i64::from(first)).unsigned_abs() as usize;
        // A gap this wide is not written out.
        if place > 1 << 16 {
            break;
        }
        counts.resize(place, 0.0);
        counts.push(count);
    }
    let offset = (first != 0).then(|| format!("{prefix}offset:{first}"));
    offset.into_iter().chain([format!("{prefix}buckets:[{}]", spaced(&counts))]).collect()
}

fn spaced(numbers: &[f64]) -> String {
    numbers.iter().map(|&number| shortest(number).to_string()).collect::<Vec<_>>().join(" ")
}
