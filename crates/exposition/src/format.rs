//! The two text formats, and the headers that name them.

use streamflow_gotext::Escaping;

/// The two text formats of a scrape and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// Why a `Content-Type` names no format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownFormat {
    /// There is none.
    #[error("is missing")]
    Missing,
    /// It is no media type.
    #[error("cannot be read")]
    Unreadable,
    /// Prometheus's protobuf, which is no text: [`protobuf`](crate::protobuf) reads it.
    #[error("names protobuf, which is no text")]
    Protobuf,
    /// It names something else.
    #[error("names no format of metrics")]
    Other,
}

/// The ranges of an `Accept` header, the most wanted first.
fn by_quality(accept: &str) -> Vec<&str> {
    let mut ranges: Vec<(f64, &str)> =
        accept.split(',').map(|range| (parameter(range, "q").parse().unwrap_or(1.0), range)).collect();
    ranges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    ranges.into_iter().map(|(_, range)| range).collect()
}

fn parameter(range: &str, name: &str) -> String {
    let pairs = range.split(';').skip(1).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned());
    value.last().unwrap_or_default()
}

fn media_type(range: &str) -> &str {
    range.split(';').next().unwrap_or_default().trim()
}

fn is_text(range: &str) -> bool {
    media_type(range) == "text/plain"
        && matches!(parameter(range, "version").as_str(), "" | "0.0.4" | "1.0.0")
}

fn is_protobuf(range: &str) -> bool {
    media_type(range) == "application/vnd.google.protobuf"
        && parameter(range, "proto") == "io.prometheus.client.MetricFamily"
        && parameter(range, "encoding") == "delimited"
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl Format {
    /// The format of an answer with this `Content-Type`.
    ///
    /// # Errors
    /// A type that is missing, cannot be read or names another format.
    pub fn of_content_type(content_type: &str) -> Result<Format, UnknownFormat> {
        if content_type.is_empty() {
            return Err(UnknownFormat::Missing);
        }
        let mut parts = content_type.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        // As Go, a blank after the last semicolon is no parameter.
        let mut parameters = parts.filter(|part| !part.is_empty());
        let is_pair = |part: &str| {
            part.split_once('=')
                .is_some_and(|(name, value)| is_token(name.trim()) && !value.trim().is_empty())
        };
        if !media_type.split('/').all(is_token) || !parameters.all(is_pair) {
            return Err(UnknownFormat::Unreadable);
        }
        match media_type.as_str() {
            "application/openmetrics-text" => Ok(Format::OpenMetrics),
            "text/plain" => Ok(Format::Text),
            "application/vnd.google.protobuf" => Err(UnknownFormat::Protobuf),
            _ => Err(UnknownFormat::Other),
        }
    }

    /// The format an `Accept` header prefers; the classic one when it does not say.
    #[must_use]
    pub fn accepted(accept: &str) -> Format {
        let (mut classic, mut open_metrics) = (0.0_f64, 0.0_f64);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut quality = 1.0;
            for part in parts {
                if let Some(value) = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")) {
                    quality = value.parse().unwrap_or(0.0);
                }
            }
            match media_type.as_str() {
                "application/openmetrics-text" => open_metrics = open_metrics.max(quality),
                "text/plain" | "text/*" | "*/*" => classic = classic.max(quality),
                _ => {}
            }
        }
        // Prometheus before 2.49 gives both no quality and lists OpenMetrics first.
        if open_metrics > 0.0 && open_metrics >= classic { Format::OpenMetrics } else { Format::Text }
    }

    /// How the reader of a text wants names spelled that are not of the old kind, by its `Accept` header: what the most
    /// wanted type up to `text/plain` says, underscores where none does.
    #[must_use]
    pub fn accepted_escaping(accept: &str) -> Escaping {
        let mut escaping = Escaping::Underscores;
        for range in by_quality(accept) {
            escaping = Escaping::of(&parameter(range, "escaping")).unwrap_or(escaping);
            if is_text(range) || is_protobuf(range) {
                break;
            }
        }
        escaping
    }

    /// Tells whether an `Accept` header wants Prometheus's protobuf, each family behind its length, more than its text.
    #[must_use]
    pub fn accepts_protobuf(accept: &str) -> bool {
        by_quality(accept)
            .into_iter()
            .find(|range| is_text(range) || is_protobuf(range))
            .is_some_and(is_protobuf)
    }

    /// The `Content-Type` of the text.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What a Prometheus 3.5 answers at /federate.
    #[test]
    fn the_accept_header_says_how_names_are_spelled() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            ("", Escaping::Underscores),
            ("*/*", Escaping::Underscores),
            ("text/plain;version=1.0.0", Escaping::Underscores),
            ("text/plain;escaping=nonsense", Escaping::Underscores),
            ("text/plain; escaping=dots", Escaping::Dots),
            ("*/*;escaping=values", Escaping::Values),
            (
                "application/openmetrics-text;version=1.0.0;escaping=dots;q=0.1,text/plain;escaping=values",
                Escaping::Values,
            ),
            (prometheus_3, Escaping::AllowUtf8),
        ] {
            assert_eq!(Format::accepted_escaping(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_accept_header_asks_for_protobuf() {
        let protobuf =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        for (accept, expected) in [
            (protobuf.to_owned(), true),
            (format!("{protobuf};q=0.6,text/plain;version=0.0.4;q=0.5"), true),
            (format!("{protobuf};q=0.4,text/plain;version=0.0.4;q=0.5"), false),
            (format!("text/plain;version=0.0.2,{protobuf};q=0.1"), true),
            (format!("application/openmetrics-text,{protobuf};q=0.3"), true),
            ("application/vnd.google.protobuf".to_owned(), false),
            (protobuf.replace("delimited", "text"), false),
            ("*/*".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(Format::accepts_protobuf(&accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_content_type_is_strict() {
        use UnknownFormat::*;
        for (content_type, expected) in [
            ("text/plain", Ok(Format::Text)),
            ("text/plain; version=0.0.4; charset=utf-8", Ok(Format::Text)),
            ("TEXT/PLAIN;version=1.0.0;escaping=allow-utf-8;", Ok(Format::Text)),
            ("application/openmetrics-text; version=\"1.0.0\"", Ok(Format::OpenMetrics)),
            ("", Err(Missing)),
            ("text/html", Err(Other)),
            ("application/json", Err(Other)),
            ("text", Err(Other)),
            ("text/", Err(Unreadable)),
            ("text/plain; version", Err(Unreadable)),
            ("text plain", Err(Unreadable)),
            ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", Err(Protobuf)),
        ] {
            assert_eq!(Format::of_content_type(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn the_accept_header_decides() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html, */*;q=0.8", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0", Format::OpenMetrics),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=0.2, text/plain;q=0.9", Format::Text),
            ("application/openmetrics-text;q=what", Format::Text),
            (prometheus_3, Format::OpenMetrics),
        ] {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }
}
