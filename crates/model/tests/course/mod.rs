//! The streaming service's month of 2024-01-31 as features, labels and entities.
//!
//! The data belongs to others and is not part of the project: its directory is `STREAMFLOW_SHARED`,
//! by default the `shared` directory beside the checkout.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::HashMap;
use std::path::PathBuf;

use streamflow_model::{FeatureColumn, Features, MISSING};

/// (name, whether it is numerical), in the order of the example's configuration.
const FEATURES: [(&str, bool); 14] = [
    ("months_active", true),
    ("monthly_fee", true),
    ("paperless_billing", false),
    ("plan_stream_tv", false),
    ("plan_stream_movies", false),
    ("net_service", false),
    ("watch_hours_30d", true),
    ("avg_session_mins_7d", true),
    ("unique_devices_30d", true),
    ("skips_7d", true),
    ("rebuffer_events_7d", true),
    ("failed_payments_90d", true),
    ("support_tickets_90d", true),
    ("ticket_avg_resolution_hrs_90d", true),
];

pub struct Course {
    pub features: Features,
    pub labels: Vec<Option<bool>>,
    pub users: Vec<String>,
}

/// The course data, or none when it is not on this machine, which is an error under CI.
pub fn load() -> Option<Course> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared");
    let shared = std::env::var_os("STREAMFLOW_SHARED").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let directory = shared.join("data/course/month_000");
    if !directory.is_dir() {
        let message = format!("the course data is not at {}; set STREAMFLOW_SHARED", directory.display());
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
        eprintln!("SKIPPED: {message}");
        return None;
    }
    let mut users = Vec::new();
    let mut values = HashMap::<(String, String), String>::new();
    for table in ["subscriptions", "usage_agg_30d", "payments_agg_90d", "support_agg_90d", "labels"] {
        let mut reader = csv::Reader::from_path(directory.join(format!("{table}.csv"))).unwrap();
        let header = reader.headers().unwrap().clone();
        for record in reader.records() {
            let record = record.unwrap();
            if table == "labels" {
                users.push(record[0].to_string());
            }
            for (name, value) in header.iter().zip(&record).skip(1) {
                values.insert((name.to_string(), record[0].to_string()), value.to_string());
            }
        }
    }
    let column = |name: &str| -> Vec<&str> {
        users.iter().map(|user| values[&(name.to_string(), user.clone())].as_str()).collect()
    };
    let features = FEATURES.map(|(name, numerical)| {
        let column = column(name);
        (name.to_string(), if numerical { numbers(&column) } else { categories(&column) })
    });
    let labels = column("churn_label").into_iter().map(|v| Some(v == "True")).collect();
    Some(Course { features: Features::new(features.into()).unwrap(), labels, users })
}

fn numbers(values: &[&str]) -> FeatureColumn {
    let number = |v: &&str| if v.is_empty() { f64::NAN } else { v.parse().unwrap() };
    FeatureColumn::Numerical(values.iter().map(number).collect())
}

fn categories(values: &[&str]) -> FeatureColumn {
    let mut levels: Vec<String> = values.iter().filter(|v| !v.is_empty()).map(|v| v.to_string()).collect();
    levels.sort();
    levels.dedup();
    let code = |v: &&str| levels.iter().position(|level| level == v).map_or(MISSING, |i| i as u32);
    FeatureColumn::Categorical { codes: values.iter().map(code).collect(), levels }
}
