//! The two text formats, and the headers that name them.

/// The two text formats of a scrape and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format of an answer with this `Content-Type`; the text format unless it names OpenMetrics.
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Format {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Format::OpenMetrics
        } else {
            Format::Text
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
