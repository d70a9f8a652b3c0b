//! The parameters of a request: those of its form body, then those of its address.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, Method, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use streamflow_gotext::{parse_duration_ms, parse_float};

use super::error::ApiError;
use crate::Handle;

/// The earliest and latest time that other components of Prometheus's family write; both mean "without a bound".
const EARLIEST: &str = "-292273086-05-16T16:47:06Z";
const LATEST: &str = "292277025-08-18T07:12:54.999999999Z";
/// Beyond this the arithmetic of times could overflow; thirty million years are enough.
pub const TIME_LIMIT_MS: i64 = 1 << 60;

/// The time that Prometheus takes NaN and infinities for: the least that 64 bits of nanoseconds hold.
const OF_NO_TIME_MS: i64 = i64::MIN / 1_000_000;

/// Names and values in order; a name may repeat. Pairs that are not well formed are left out, as Go does.
#[derive(Debug, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
    malformed: Option<String>,
}

impl FromRequest<Handle> for Parameters {
    type Rejection = ApiError;

    async fn from_request(request: Request, server: &Handle) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let mut parameters = Self::default();
        let has_form = matches!(head.method, Method::POST | Method::PUT) && is_form(&head.headers);
        if has_form {
            let bytes = read(body, server.0.settings.limits.form_bytes).await?;
            parameters.add(&String::from_utf8_lossy(&bytes));
        }
        parameters.add(head.uri.query().unwrap_or_default());
        Ok(parameters)
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Reads a whole body of at most `limit` bytes.
pub async fn read(body: Body, limit: usize) -> Result<axum::body::Bytes, ApiError> {
    match Limited::new(body, limit).collect().await {
        Ok(bytes) => Ok(bytes.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ApiError::bad_data(format!("the request body is larger than the {limit} bytes allowed")))
        }
        Err(error) => Err(ApiError::bad_data(format!("the request body cannot be read: {error}"))),
    }
}

impl Parameters {
    fn add(&mut self, encoded: &str) {
        for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
            if pair.contains(';') {
                self.malformed.get_or_insert_with(|| "invalid semicolon separator in query".to_owned());
                continue;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (decode(name), decode(value)) {
                (Ok(name), Ok(value)) => self.pairs.push((name, value)),
                (Err(reason), _) | (_, Err(reason)) => {
                    self.malformed.get_or_insert(reason);
                }
            }
        }
    }

    /// The first value of `name`; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// All values of `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Refuses a request of which a part could not be read.
    pub fn well_formed(&self) -> Result<(), ApiError> {
        match &self.malformed {
            Some(reason) => Err(ApiError::bad_data(format!("error parsing form values: {reason}"))),
            None => Ok(()),
        }
    }

    /// A time that has to be given, in milliseconds since 1970.
    pub fn time(&self, name: &str) -> Result<i64, ApiError> {
        parse_time(self.get(name)).map_err(|reason| ApiError::invalid_parameter(name, &reason))
    }

    /// A time that may be left out.
    pub fn time_or(&self, name: &str, default: i64) -> Result<i64, ApiError> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(default);
        }
        parse_time(text).map_err(|reason| {
            ApiError::invalid_parameter(name, &format!("invalid time value for '{name}': {reason}"))
        })
    }

    /// A length of time; `None` when it is not given.
    pub fn duration(&self, name: &str) -> Result<Option<DurationMs>, ApiError> {
        match self.get(name) {
            "" => Ok(None),
            _ => self.required_duration(name).map(Some),
        }
    }

    /// A length of time that has to be given.
    pub fn required_duration(&self, name: &str) -> Result<DurationMs, ApiError> {
        parse_duration(self.get(name)).map_err(|reason| ApiError::invalid_parameter(name, &reason))
    }

    /// `limit`: `None` when there is no limit, which is also what 0 means.
    pub fn limit(&self) -> Result<Option<usize>, ApiError> {
        let text = self.get("limit");
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<i64>() {
            Ok(limit) if limit >= 0 => Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0)),
            Ok(_) => Err(ApiError::invalid_parameter("limit", "limit must be non-negative")),
            Err(_) => Err(ApiError::invalid_parameter("limit", &format!("{text:?} is not a whole number"))),
        }
    }
}

/// Milliseconds as a fraction: steps below one are told from zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct DurationMs(pub f64);

impl DurationMs {
    /// The duration as the standard library has it; a negative one is none at all.
    pub fn to_std(self) -> Duration {
        Duration::try_from_secs_f64(self.0 / 1000.0).unwrap_or_default()
    }
}

/// Undoes `application/x-www-form-urlencoded`. Bytes that are not UTF-8 are replaced.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let byte = match after {
                    [high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
                    _ => None,
                };
                let shown = || String::from_utf8_lossy(&after[..after.len().min(2)]).into_owned();
                bytes.push(byte.ok_or_else(|| format!("invalid URL escape \"%{}\"", shown()))?);
                rest = &after[2..];
            }
            plain => bytes.push(plain),
        }
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Reads Unix seconds with a fraction, or RFC 3339, rounded to milliseconds.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let unreadable = || format!("cannot parse {text:?} to a valid timestamp");
    if let Ok(seconds) = parse_float(text) {
        // What Go makes of a number that its time does not hold.
        if !seconds.is_finite() {
            return Ok(OF_NO_TIME_MS);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast of a float saturates, then it is bounded"
        )]
        return Ok(((seconds * 1000.0).round() as i64).clamp(-TIME_LIMIT_MS, TIME_LIMIT_MS));
    }
    match text {
        EARLIEST => Ok(-TIME_LIMIT_MS),
        LATEST => Ok(TIME_LIMIT_MS),
        _ => text.parse::<jiff::Timestamp>().map(|time| time.as_millisecond()).map_err(|_| unreadable()),
    }
}

/// Reads seconds with a fraction, or Prometheus's `1h30m`.
pub fn parse_duration(text: &str) -> Result<DurationMs, String> {
    // What Go's nanoseconds can hold, so that both refuse the same.
    let overflows = || format!("cannot parse {text:?} to a valid duration. It overflows int64");
    if let Ok(seconds) = parse_float(text) {
        if (seconds * 1e9).abs() > 9.223_372_036_854_775e18 {
            return Err(overflows());
        }
        if !seconds.is_nan() {
            return Ok(DurationMs(seconds * 1000.0));
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a duration of 2^63 nanoseconds has less than 2^53 milliseconds"
    )]
    parse_duration_ms(text)
        .map(|ms| DurationMs(ms as f64))
        .map_err(|_| format!("cannot parse {text:?} to a valid duration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(encoded: &str) -> Parameters {
        let mut parameters = Parameters::default();
        parameters.add(encoded);
        parameters
    }

    #[test]
    fn pairs_are_decoded() {
        let read = parameters("a=1%2B1&b=x+y&a=&c&d=%C3%A9%ff");
        assert_eq!(read.all("a").collect::<Vec<_>>(), ["1+1", ""]);
        assert_eq!(
            (read.get("b"), read.get("c"), read.get("d"), read.get("e")),
            ("x y", "", "é\u{fffd}", "")
        );
        assert!(read.well_formed().is_ok());
        for (bad, reason) in [
            ("a=%zz", "invalid URL escape \"%zz\""),
            ("a=%", "invalid URL escape \"%\""),
            ("a=%a", "invalid URL escape \"%a\""),
            ("a=1;b=2", "invalid semicolon separator in query"),
        ] {
            let read = parameters(bad);
            assert_eq!(read.get("a"), "");
            assert_eq!(
                read.well_formed().unwrap_err().message,
                format!("error parsing form values: {reason}")
            );
        }
    }

    #[test]
    fn times() {
        for (text, expected) in [
            ("4", Some(4_000)),
            ("1.23456", Some(1_235)),
            ("-1.005", Some(-1_005)),
            ("2026-11-22T00:00:00Z", Some(1_795_305_600_000)),
            ("2026-11-22T01:00:00.5+01:00", Some(1_795_305_600_500)),
            (EARLIEST, Some(-TIME_LIMIT_MS)),
            (LATEST, Some(TIME_LIMIT_MS)),
            ("1e300", Some(TIME_LIMIT_MS)),
            ("NaN", Some(-9_223_372_036_854)),
            ("Inf", Some(-9_223_372_036_854)),
            ("2026-11-22", None),
            ("", None),
            ("abc", None),
        ] {
            assert_eq!(parse_time(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("15", Some(15_000.0)),
            ("0.0015", Some(1.5)),
            ("-1", Some(-1_000.0)),
            ("1h1s", Some(3_601_000.0)),
            ("1y2w3d4h5m6s7ms", Some(33_019_506_007.0)),
            ("1m0s", Some(60_000.0)),
            ("1.5s", None),
            ("1s1h", None),
            ("1s1s", None),
            ("5", Some(5_000.0)),
            ("s", None),
            ("1x", None),
            ("", None),
            ("NaN", None),
            ("1e300", None),
            ("Inf", None),
            ("99999999y", None),
            ("1é", None),
        ] {
            assert_eq!(parse_duration(text).ok(), expected.map(DurationMs), "{text}");
        }
    }
}
