//! What a target is asked for: formats, and which names they may hold.

use serde::Deserialize;
use streamflow_gotext::Escaping;

/// A format that targets are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[allow(missing_docs)]
pub enum ScrapeProtocol {
    PrometheusProto,
    PrometheusText004,
    PrometheusText100,
    OpenMetricsText001,
    OpenMetricsText100,
}

impl ScrapeProtocol {
    /// What is asked for where a file does not say, the most wanted first.
    pub const DEFAULT: [Self; 4] = [
        Self::OpenMetricsText100,
        Self::OpenMetricsText001,
        Self::PrometheusText100,
        Self::PrometheusText004,
    ];

    const NAMES: [(&'static str, Self); 5] = [
        ("PrometheusProto", Self::PrometheusProto),
        ("PrometheusText0.0.4", Self::PrometheusText004),
        ("PrometheusText1.0.0", Self::PrometheusText100),
        ("OpenMetricsText0.0.1", Self::OpenMetricsText001),
        ("OpenMetricsText1.0.0", Self::OpenMetricsText100),
    ];
}

impl TryFrom<String> for ScrapeProtocol {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
        let refused = || format!("{name:?} is no scrape protocol, expected one of {}", names.join(", "));
        known.map(|(_, protocol)| *protocol).ok_or_else(refused)
    }
}

/// Which names a job takes, as the keys of `global` or of the job say it; empty where one does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameSchemes<'a> {
    pub validation: &'a str,
    pub escaping: &'a str,
}

impl NameSchemes<'_> {
    /// Whether names are those of Prometheus 2 alone, and how others are asked for.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub fn resolved(self, global: NameSchemes<'_>) -> Result<(bool, Escaping), (&'static str, String)> {
        let is_legacy = |text: &str| match text {
            "" | "utf8" => Ok(false),
            "legacy" => Ok(true),
            other => Err((VALIDATION, format!("{other:?} is none of utf8 and legacy"))),
        };
        let legacy = is_legacy(if self.validation.is_empty() { global.validation } else { self.validation })?;
        let implied = if is_legacy(global.validation)? { "underscores" } else { "allow-utf-8" };
        let written = [self.escaping, global.escaping, implied].into_iter().find(|text| !text.is_empty());
        let written = written.unwrap_or(implied);
        let expected = "allow-utf-8, underscores, dots and values";
        let escaping =
            Escaping::of(written).ok_or_else(|| (ESCAPING, format!("{written:?} is none of {expected}")))?;
        if legacy && escaping == Escaping::AllowUtf8 {
            let remedy = "set metric_name_escaping_scheme to underscores";
            return Err((VALIDATION, format!("legacy names cannot be asked for as allow-utf-8, {remedy}")));
        }
        Ok((legacy, escaping))
    }
}

const VALIDATION: &str = "metric_name_validation_scheme";
const ESCAPING: &str = "metric_name_escaping_scheme";
