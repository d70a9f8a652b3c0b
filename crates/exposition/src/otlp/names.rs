//! Names of metrics and labels, made of those of OpenTelemetry.

/// How names are translated: `translation_strategy` of Prometheus's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Translation {
    /// Letters, digits and `_` alone; units and `_total` are appended unless they are there.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Names stay; units and `_total` are appended.
    NoUtf8EscapingWithSuffixes,
    /// Names stay.
    NoTranslation,
}

/// What of a metric's kind shows in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Gauge,
    MonotonicSum,
    Other,
}

/// Units that have names of their own in Prometheus. `1` has none.
const UNITS: [(&str, &str); 25] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
];

/// Units after a stroke.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

impl Translation {
    /// The name of a metric's family.
    pub(super) fn metric(self, name: &str, unit: &str, kind: Kind) -> String {
        match self {
            Translation::UnderscoreEscapingWithSuffixes => escaped_with_suffixes(name, unit, kind),
            Translation::NoUtf8EscapingWithSuffixes => with_suffixes(name, unit, kind),
            Translation::NoTranslation => name.to_owned(),
        }
    }

    /// The name of a label.
    pub(super) fn label(self, name: &str) -> String {
        if self != Translation::UnderscoreEscapingWithSuffixes || name.is_empty() {
            return name.to_owned();
        }
        let is_taken = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let escaped: String =
            name.chars().map(|letter| if is_taken(letter) { letter } else { '_' }).collect();
        if escaped.starts_with(|first: char| first.is_ascii_digit()) {
            format!("key_{escaped}")
        } else if escaped.starts_with('_') && !escaped.starts_with("__") {
            format!("key{escaped}")
        } else {
            escaped
        }
    }
}

fn escaped_with_suffixes(name: &str, unit: &str, kind: Kind) -> String {
    let (unit_name, per) = unit_names(unit);
    let (mut unit_name, mut per) = (clean(&unit_name), clean(&per));
    let mut words: Vec<&str> =
        name.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()).collect();
    if words.contains(&unit_name.as_str()) {
        unit_name.clear();
    }
    if per == "per_" {
        per.clear();
    }
    without_last_mark(&mut per);
    if !per.is_empty() {
        without_last_mark(&mut unit_name);
    }
    words.extend([unit_name.as_str(), per.as_str()].into_iter().filter(|word| !word.is_empty()));
    let last = match kind {
        Kind::MonotonicSum => Some("total"),
        Kind::Gauge if unit == "1" => Some("ratio"),
        Kind::Gauge | Kind::Other => None,
    };
    if let Some(last) = last {
        words.retain(|word| *word != last);
        words.push(last);
    }
    let joined = words.join("_");
    if joined.starts_with(|first: char| first.is_ascii_digit()) { format!("_{joined}") } else { joined }
}

fn without_last_mark(name: &mut String) {
    if name.ends_with('_') {
        name.pop();
    }
}

fn with_suffixes(name: &str, unit: &str, kind: Kind) -> String {
    let (unit_name, per) = unit_names(unit);
    let mut whole = name.to_owned();
    for suffix in [unit_name.as_str(), per.as_str()].into_iter().filter(|suffix| !suffix.is_empty()) {
        whole = format!("{whole}_{suffix}");
    }
    match kind {
        Kind::MonotonicSum => whole + "_total",
        Kind::Gauge if unit == "1" => whole + "_ratio",
        Kind::Gauge | Kind::Other => whole,
    }
}

/// The names of a unit before and after its stroke, each empty where it has none; what stands in braces is a remark.
fn unit_names(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let named = |table: &[(&str, &str)], unit: &str| {
        let unit = unit.trim();
        if unit.contains(['{', '}']) {
            return String::new();
        }
        table.iter().find(|(short, _)| *short == unit).map_or(unit, |(_, name)| name).to_owned()
    };
    let main = if main.trim() == "1" { String::new() } else { named(&UNITS, main) };
    let per = named(&PER_UNITS, per);
    (main, if per.is_empty() { per } else { format!("per_{per}") })
}

/// A unit's name with letters, digits and single `_`, of which none stands first.
fn clean(unit: &str) -> String {
    let mut cleaned = String::with_capacity(unit.len());
    for letter in unit.chars().map(|letter| if is_word(letter) { letter } else { '_' }) {
        if letter != '_' || !cleaned.ends_with('_') {
            cleaned.push(letter);
        }
    }
    cleaned.strip_prefix('_').map_or(cleaned.clone(), str::to_owned)
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_by_unit_and_kind() {
        let check = |name: &str, unit: &str, kind: Kind, escaped: &str, suffixed: &str| {
            let found = Translation::UnderscoreEscapingWithSuffixes.metric(name, unit, kind);
            assert_eq!(found, escaped, "{name} {unit}");
            let found = Translation::NoUtf8EscapingWithSuffixes.metric(name, unit, kind);
            assert_eq!(found, suffixed, "{name} {unit}");
            assert_eq!(Translation::NoTranslation.metric(name, unit, kind), name);
        };
        for (name, unit, kind, escaped, suffixed) in [
            ("http.duration", "s", Kind::Other, "http_duration_seconds", "http.duration_seconds"),
            ("requests", "", Kind::MonotonicSum, "requests_total", "requests_total"),
            ("requests.total", "1", Kind::MonotonicSum, "requests_total", "requests.total_total"),
            ("total.requests", "", Kind::MonotonicSum, "requests_total", "total.requests_total"),
            ("io", "By", Kind::MonotonicSum, "io_bytes_total", "io_bytes_total"),
            ("io.bytes", "By", Kind::Other, "io_bytes", "io.bytes_bytes"),
            ("used", "1", Kind::Gauge, "used_ratio", "used_ratio"),
            ("used.ratio", "1", Kind::Gauge, "used_ratio", "used.ratio_ratio"),
            ("used", "1", Kind::Other, "used", "used"),
            ("speed", "m/s", Kind::Gauge, "speed_meters_per_second", "speed_meters_per_second"),
            ("rate", "{packet}/s", Kind::Gauge, "rate_per_second", "rate_per_second"),
            ("packets", "{packet}", Kind::Gauge, "packets", "packets"),
            ("a", "foo.bar/baz qux", Kind::Gauge, "a_foo_bar_per_baz_qux", "a_foo.bar_per_baz qux"),
            ("temperature", "°F", Kind::Gauge, "temperature_F", "temperature_°F"),
            ("m", "__x__/__y__", Kind::Gauge, "m_x_per_y", "m___x___per___y__"),
            ("m", "/s", Kind::Gauge, "m_per_second", "m_per_second"),
            ("m", "s/", Kind::Gauge, "m_seconds", "m_seconds"),
            ("2xx.responses", "", Kind::Gauge, "_2xx_responses", "2xx.responses"),
            ("__a__b__", "", Kind::Gauge, "a_b", "__a__b__"),
            ("a:b", "", Kind::Gauge, "a:b", "a:b"),
            ("größe", "", Kind::Gauge, "gr_e", "größe"),
            ("...", "", Kind::Gauge, "", "..."),
            ("", "s", Kind::Gauge, "seconds", "_seconds"),
        ] {
            check(name, unit, kind, escaped, suffixed);
        }
    }

    #[test]
    fn labels_are_named() {
        for (name, escaped) in [
            ("http.method", "http_method"),
            ("a:b", "a_b"),
            ("9lives", "key_9lives"),
            ("_private", "key_private"),
            ("__reserved__", "__reserved__"),
            ("größe", "gr__e"),
            ("a..b", "a__b"),
            ("", ""),
        ] {
            assert_eq!(Translation::UnderscoreEscapingWithSuffixes.label(name), escaped, "{name}");
            assert_eq!(Translation::NoTranslation.label(name), name);
            assert_eq!(Translation::NoUtf8EscapingWithSuffixes.label(name), name);
        }
    }
}
