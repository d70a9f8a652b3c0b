//! Random expressions over random series: both servers must answer the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use crate::expressions::{COMPARISON, Generator, PHASE_MS, Random, START_MS, series};
use crate::http::{form, send};
use crate::servers::{Ours, Prometheus};

/// In every run of the tests; STREAMFLOW_DIFFERENTIAL asks for another number.
const EXPRESSIONS: usize = 300;
const SEED: u64 = 20_240_131;
/// Relative; sums are made in another order and, in ours as in 3.x, with compensation.
const TOLERANCE: f64 = 1e-9;
/// Below this both are zero: what is left when numbers of the series' size cancel.
const ZERO: f64 = 1e-7;
const CONFIG: &str = "scrape_configs: []\n";

/// What 3.x answers otherwise than 2.42 for expressions that the generator makes. docs/promql.md tells of these and of
/// those that it avoids.
const INTENDED: [Difference; 2] = [
    Difference {
        reason: "atan2 drops the metric's name, as all arithmetic does; 2.42 kept it",
        is: |expression, _, _| expression.contains("atan2"),
    },
    Difference {
        reason: "a match that a comparison leaves out counts as one too many; in 2.42 it did not",
        is: |expression, ours, theirs| {
            let compares = COMPARISON.iter().any(|operator| expression.contains(&format!(" {operator} ")));
            compares
                && *ours == Outcome::Error("execution".to_owned())
                && matches!(theirs, Outcome::Samples(_))
        },
    },
];

/// A difference that is meant.
struct Difference {
    reason: &'static str,
    /// By the expression, our answer and theirs.
    is: fn(&str, &Outcome, &Outcome) -> bool,
}

/// An answer in a form that can be compared: an error's type, or samples by labels and time.
#[derive(Debug, PartialEq)]
enum Outcome {
    Error(String),
    Samples(BTreeMap<(String, String), f64>),
    Other(Value),
}

#[test]
fn random_expressions_have_the_same_answers() {
    let wanted = std::env::var("STREAMFLOW_DIFFERENTIAL").ok();
    let wanted =
        wanted.map_or(EXPRESSIONS, |text| text.parse().expect("STREAMFLOW_DIFFERENTIAL is a number"));
    let data = series(&mut Random(SEED));
    let Some(theirs) = Prometheus::start(&data, CONFIG, "") else { return };
    let ours = Ours::start(&data, CONFIG, "");
    let mut generator = Generator::new(SEED);
    let (mut compared, mut errors, mut empty) = (0, 0, 0);
    let mut intended = [0; INTENDED.len()];
    let mut failures = Vec::new();
    for _ in 0..wanted {
        let expression = generator.expression();
        let time = START_MS + PHASE_MS + i64::try_from(generator.random.below(400)).unwrap() * 10_000;
        let step = 10 * (1 + i64::try_from(generator.random.below(30)).unwrap());
        let end = time + 1000 * step * i64::try_from(generator.random.below(12)).unwrap();
        let seconds = |ms: i64| (ms / 1000).to_string();
        let instant = vec![("query", expression.clone()), ("time", seconds(time))];
        let range = vec![
            ("query", expression.clone()),
            ("start", seconds(time)),
            ("end", seconds(end)),
            ("step", step.to_string()),
        ];
        for (route, parameters) in [("query", instant), ("query_range", range)] {
            let (our_answer, their_answer) =
                (ask(ours.address, route, &parameters), ask(theirs.address, route, &parameters));
            compared += 1;
            match &their_answer {
                Outcome::Error(_) => errors += 1,
                Outcome::Samples(samples) if samples.is_empty() => empty += 1,
                _ => {}
            }
            if let Some(reason) = difference(&our_answer, &their_answer) {
                let known =
                    INTENDED.iter().position(|known| (known.is)(&expression, &our_answer, &their_answer));
                if let Some(known) = known {
                    intended[known] += 1;
                } else {
                    failures.push(format!(
                        "{route} {expression} at {} to {} by {step}: {reason}",
                        time / 1000,
                        end / 1000
                    ));
                }
            }
        }
    }
    let differ: usize = intended.iter().sum();
    let agree = compared - differ - failures.len();
    eprintln!(
        "{agree} of {compared} answers agree ({errors} errors, {empty} empty), {differ} differ as intended"
    );
    for (known, count) in INTENDED.iter().zip(intended) {
        eprintln!("{count}: {}", known.reason);
    }
    // Most answers have to be worth comparing.
    assert!((errors + empty) * 2 < compared, "{errors} errors and {empty} empty answers of {compared}");
    assert!(failures.is_empty(), "{} of {compared}:\n{}", failures.len(), failures.join("\n"));
}

fn ask(address: SocketAddr, route: &str, parameters: &[(&str, String)]) -> Outcome {
    let parameters: Vec<(String, String)> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let headers = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let answer =
        send(address, &format!("POST /api/v1/{route}"), &headers, form(&parameters).as_bytes()).json();
    if answer["status"] != "success" {
        return Outcome::Error(answer["errorType"].as_str().unwrap_or_default().to_owned());
    }
    let data = &answer["data"];
    let mut samples = BTreeMap::new();
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    match data["resultType"].as_str() {
        Some("vector") => {
            for series in data["result"].as_array().unwrap() {
                let (time, value) = (&series["value"][0], &series["value"][1]);
                samples.insert((series["metric"].to_string(), time.to_string()), number(value));
            }
        }
        Some("matrix") => {
            for series in data["result"].as_array().unwrap() {
                for point in series["values"].as_array().unwrap() {
                    samples.insert((series["metric"].to_string(), point[0].to_string()), number(&point[1]));
                }
            }
        }
        Some("scalar") => {
            samples.insert((String::new(), data["result"][0].to_string()), number(&data["result"][1]));
        }
        _ => return Outcome::Other(data.clone()),
    }
    Outcome::Samples(samples)
}

fn difference(ours: &Outcome, theirs: &Outcome) -> Option<String> {
    let (Outcome::Samples(our_samples), Outcome::Samples(their_samples)) = (ours, theirs) else {
        return (ours != theirs).then(|| format!("ours {ours:?}, theirs {theirs:?}"));
    };
    for (key, theirs) in their_samples {
        match our_samples.get(key) {
            None => return Some(format!("ours lacks {key:?} {theirs}")),
            Some(ours) if !equal(*ours, *theirs) => {
                return Some(format!("{key:?}: ours {ours}, theirs {theirs}"));
            }
            Some(_) => {}
        }
    }
    let more = our_samples.iter().find(|(key, _)| !their_samples.contains_key(*key));
    more.map(|(key, value)| format!("theirs lacks {key:?} {value}"))
}

fn equal(a: f64, b: f64) -> bool {
    let size = a.abs().max(b.abs());
    a == b || (a.is_nan() && b.is_nan()) || size < ZERO || (a - b).abs() <= TOLERANCE * size
}
