//! `streamflow query`: PromQL from the terminal, against a running server.

mod chart;
mod table;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde_json::Value;
use streamflow_outbound::client_of;
use streamflow_prometheus::{now_ms, parse_duration, parse_time};

use super::{Context, Usage, block_on, server_url};

/// URL at which `streamflow up` serves the Prometheus API by default.
const DEFAULT_URL: &str = "http://127.0.0.1:9090";
/// Steps of a range by default: two for each column of the chart.
const STEPS: i64 = 144;
/// Longer than a server lets a query run.
const TIMEOUT: Duration = Duration::from_secs(150);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The expression, such as 'sum by (job) (rate(api_requests_total[5m]))'
    expression: String,
    /// Server with a Prometheus API: a running `streamflow up` or any Prometheus
    #[arg(long, env = "STREAMFLOW_URL", value_parser = server_url, default_value = DEFAULT_URL)]
    url: Url,
    /// Evaluate at this time rather than now: Unix seconds, RFC 3339, or before now as in -1h30m
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true, conflicts_with_all = ["start", "end", "step"])]
    time: Option<When>,
    /// Evaluate over a range from this time on, written as for --time, and draw it
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true)]
    start: Option<When>,
    /// End of the range [default: now]
    #[arg(long, value_name = "TIME", value_parser = when, allow_hyphen_values = true, requires = "start")]
    end: Option<When>,
    /// Time between evaluations, such as 15s [default: the range in 144 steps]
    #[arg(long, value_name = "DURATION", value_parser = step, requires = "start")]
    step: Option<i64>,
    /// The coarsest aggregates that may stand in for samples that are gone: 0s (none), 5m, 1h, or auto, which goes by the step
    /// [default: auto]
    #[arg(long, value_name = "RESOLUTION")]
    max_source_resolution: Option<String>,
}

/// A time of the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum When {
    At { ms: i64 },
    BeforeNow { ms: i64 },
}

impl When {
    pub(super) fn ms(self, now: i64) -> i64 {
        match self {
            When::At { ms } => ms,
            When::BeforeNow { ms } => now.saturating_sub(ms),
        }
    }
}

/// A range of evaluation times.
#[derive(Debug, Clone, Copy)]
struct Range {
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let now = now_ms();
    let range = args.range(now)?;
    let mut form = vec![("query", args.expression.clone())];
    let route = match range {
        Some(Range { start_ms, end_ms, step_ms }) => {
            form.extend([("start", start_ms), ("end", end_ms), ("step", step_ms)].map(seconds));
            "query_range"
        }
        None => {
            let time = args.time.map_or(now, |time| time.ms(now));
            form.push(seconds(("time", time)));
            "query"
        }
    };
    if let Some(resolution) = &args.max_source_resolution {
        form.push(("max_source_resolution", resolution.clone()));
    }
    let data = block_on(ask(&args.url, route, &form))?;
    let colors = std::io::stdout().is_terminal();
    context.terminal.result(&data, || table::text(&data, range.map(|range| (range, colors))))?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn range(&self, now: i64) -> anyhow::Result<Option<Range>> {
        let Some(start) = self.start else { return Ok(None) };
        let (start_ms, end_ms) = (start.ms(now), self.end.map_or(now, |end| end.ms(now)));
        if end_ms < start_ms {
            return Err(Usage::error("--end is before --start; name a later --end"));
        }
        let step_ms = match self.step {
            Some(step_ms) => step_ms,
            // Whole seconds where there is at least one.
            None => match (end_ms - start_ms) / STEPS {
                short if short < 1000 => short.max(1),
                long => long / 1000 * 1000,
            },
        };
        Ok(Some(Range { start_ms, end_ms, step_ms }))
    }
}

/// A form field in seconds.
fn seconds((name, ms): (&'static str, i64)) -> (&'static str, String) {
    let sign = if ms < 0 { "-" } else { "" };
    (name, format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000))
}

/// Parses a time.
pub(super) fn when(text: &str) -> Result<When, String> {
    if text == "now" {
        return Ok(When::BeforeNow { ms: 0 });
    }
    // A bare negative number is a time before 1970, to Prometheus too.
    let before_now = text.strip_prefix('-').filter(|rest| rest.parse::<f64>().is_err());
    let time = match before_now {
        Some(duration) => duration_ms(duration).map(|ms| When::BeforeNow { ms }),
        None => parse_time(text).ok().map(|ms| When::At { ms }),
    };
    time.ok_or_else(|| "expected Unix seconds, RFC 3339, now, or before now as in -1h30m".to_owned())
}

/// Parses a step in milliseconds.
fn step(text: &str) -> Result<i64, String> {
    let step = duration_ms(text).filter(|step_ms| *step_ms > 0);
    step.ok_or_else(|| "expected a duration longer than nothing, such as 15s".to_owned())
}

fn duration_ms(text: &str) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "durations are below 2^53 ms")]
    parse_duration(text).ok().map(|duration| duration.0 as i64)
}

/// The `data` of the server's answer.
async fn ask(server: &Url, route: &str, form: &[(&str, String)]) -> anyhow::Result<Value> {
    let base = server.as_str().trim_end_matches('/');
    let url = Url::parse(&format!("{base}/api/v1/{route}"))?;
    // GET with parameters in the address: every server takes it, also those behind a read-only proxy.
    let url = Url::parse_with_params(url.as_str(), form)?;
    let client = client_of(server).timeout(TIMEOUT).build()?;
    let answer = client.get(url).send().await.with_context(|| {
        format!("no answer from {base}: start a server with `streamflow up`, or name one with --url")
    })?;
    let status = answer.status();
    let body = answer.bytes().await.with_context(|| format!("the answer of {base} broke off"))?;
    let Ok(mut answer) = serde_json::from_slice::<Value>(&body) else {
        bail!("{base} answered {status}, which is no answer of a Prometheus API; is --url right?");
    };
    if answer["status"] != "success" {
        let query = &form[0].1;
        bail!("{}", failure(query, answer["error"].as_str().unwrap_or(status.as_str())));
    }
    for kind in ["warnings", "infos"] {
        for text in answer[kind].as_array().into_iter().flatten() {
            crate::terminal::stderr(text.as_str().unwrap_or_default());
        }
    }
    Ok(answer["data"].take())
}

/// The server's reason; where it has a position, the query with a mark under it.
fn failure(query: &str, reason: &str) -> String {
    let reason = reason.strip_prefix("invalid parameter \"query\": ").unwrap_or(reason);
    marked(query, reason).unwrap_or_else(|| reason.to_owned())
}

fn marked(query: &str, reason: &str) -> Option<String> {
    let mut parts = reason.splitn(3, ':');
    let line: usize = parts.next()?.parse().ok()?;
    let column: usize = parts.next()?.parse().ok()?;
    let text = query.lines().nth(line.checked_sub(1)?).unwrap_or_default();
    // The column counts bytes from 1; it may be one past the end.
    let before = text.char_indices().take_while(|(at, _)| at + 1 < column).count();
    Some(format!("{reason}\n  {text}\n  {}^", " ".repeat(before)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_point_into_the_query() {
        for (query, reason, expected) in [
            (
                "sum(up",
                "invalid parameter \"query\": 1:7: parse error: unclosed left parenthesis",
                "1:7: parse error: unclosed left parenthesis\n  sum(up\n        ^",
            ),
            ("up\n+ é)", "2:5: parse error: x", "2:5: parse error: x\n  + é)\n     ^"),
            ("", "1:1: parse error: empty", "1:1: parse error: empty\n  \n  ^"),
            ("up", "query timed out in query execution", "query timed out in query execution"),
            ("up", "found: a: b", "found: a: b"),
        ] {
            assert_eq!(failure(query, reason), expected);
        }
    }

    #[test]
    fn times() {
        let now = 1_000_000;
        for (text, expected) in [
            ("now", Some(now)),
            ("-1m", Some(now - 60_000)),
            ("-1m30s", Some(now - 90_000)),
            ("-5", Some(-5_000)),
            ("12.5", Some(12_500)),
            ("1970-01-01T00:01:00Z", Some(60_000)),
            ("yesterday", None),
            ("--1m", None),
        ] {
            assert_eq!(when(text).ok().map(|time| time.ms(now)), expected, "{text}");
        }
        assert_eq!(seconds(("time", -1_500)).1, "-1.500");
    }

    #[test]
    fn a_range_has_whole_seconds_between_its_steps() {
        let args = |step_ms: Option<i64>| Args {
            expression: "up".to_owned(),
            url: Url::parse(DEFAULT_URL).unwrap(),
            time: None,
            start: when("-1h").ok(),
            end: None,
            step: step_ms,
            max_source_resolution: None,
        };
        assert_eq!(args(None).range(1 << 40).unwrap().unwrap().step_ms, 25_000);
        assert_eq!(args(step("1m").ok()).range(1 << 40).unwrap().unwrap().step_ms, 60_000);
        assert!(step("0").is_err() && step("x").is_err() && step("-5s").is_err());
    }
}
