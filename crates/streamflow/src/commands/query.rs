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

use super::{Context, block_on};

/// URL at which `streamflow up` serves the Prometheus API by default.
const DEFAULT_URL: &str = "http://127.0.0.1:9090";
/// Steps of a range by default: two for each column of the chart.
const STEPS: i64 = 144;
/// Longer than a server lets a query run.
const TIMEOUT: Duration = Duration::from_secs(150);

/// Times are Unix seconds, RFC 3339, `now`, or before now as in -1h30m.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The expression, such as 'sum by (job) (rate(api_requests_total[5m]))'
    expression: String,
    /// Server with a Prometheus API: a running `streamflow up` or any Prometheus
    #[arg(long, env = "STREAMFLOW_URL", default_value = DEFAULT_URL)]
    url: Url,
    /// Evaluate at this time rather than now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["start", "end", "step"])]
    time: Option<String>,
    /// Evaluate over a range from this time on, and draw it
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    start: Option<String>,
    /// End of the range [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "start")]
    end: Option<String>,
    /// Time between evaluations, such as 15s [default: the range in 144 steps]
    #[arg(long, value_name = "DURATION", requires = "start")]
    step: Option<String>,
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
            let time = args.time.as_deref().map_or(Ok(now), |time| time_ms("--time", time, now))?;
            form.push(seconds(("time", time)));
            "query"
        }
    };
    let data = block_on(ask(&args.url, route, &form))?;
    let colors = std::io::stdout().is_terminal();
    context.terminal.result(&data, || table::text(&data, range.map(|range| (range, colors))))?;
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn range(&self, now: i64) -> anyhow::Result<Option<Range>> {
        let Some(start) = &self.start else { return Ok(None) };
        let start_ms = time_ms("--start", start, now)?;
        let end_ms = self.end.as_deref().map_or(Ok(now), |end| time_ms("--end", end, now))?;
        if end_ms < start_ms {
            bail!("--end is before --start");
        }
        let step_ms = match &self.step {
            Some(step) => duration_ms(step)
                .with_context(|| format!("--step {step:?} is not a duration, such as 15s"))?,
            // Whole seconds where there is at least one.
            None => match (end_ms - start_ms) / STEPS {
                short if short < 1000 => short.max(1),
                long => long / 1000 * 1000,
            },
        };
        if step_ms <= 0 {
            bail!("--step must be longer than nothing");
        }
        Ok(Some(Range { start_ms, end_ms, step_ms }))
    }
}

/// A form field in seconds.
fn seconds((name, ms): (&'static str, i64)) -> (&'static str, String) {
    let sign = if ms < 0 { "-" } else { "" };
    (name, format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000))
}

fn time_ms(flag: &str, text: &str, now: i64) -> anyhow::Result<i64> {
    if text == "now" {
        return Ok(now);
    }
    // A bare negative number is a time before 1970, to Prometheus too.
    let before_now = text.strip_prefix('-').filter(|rest| rest.parse::<f64>().is_err());
    let time = match before_now {
        Some(duration) => duration_ms(duration).map(|ms| now.saturating_sub(ms)),
        None => parse_time(text).ok(),
    };
    time.with_context(|| {
        format!(
            "{flag} {text:?} is not a time; expected Unix seconds, RFC 3339, now, or before now as in -1h30m"
        )
    })
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
            assert_eq!(time_ms("--time", text, now).ok(), expected, "{text}");
        }
        assert_eq!(seconds(("time", -1_500)).1, "-1.500");
    }

    #[test]
    fn a_range_has_whole_seconds_between_its_steps() {
        let args = |step: Option<&str>| Args {
            expression: "up".to_owned(),
            url: Url::parse(DEFAULT_URL).unwrap(),
            time: None,
            start: Some("-1h".to_owned()),
            end: None,
            step: step.map(str::to_owned),
        };
        assert_eq!(args(None).range(1 << 40).unwrap().unwrap().step_ms, 25_000);
        assert_eq!(args(Some("1m")).range(1 << 40).unwrap().unwrap().step_ms, 60_000);
        assert!(args(Some("0")).range(1 << 40).is_err());
        assert!(args(Some("x")).range(1 << 40).is_err());
    }
}
