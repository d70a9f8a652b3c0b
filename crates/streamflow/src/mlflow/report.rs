//! What is known of a version as one page, for the artefacts of its run.

use std::fmt::Write as _;

use serde_json::Value;
use streamflow_drift::html::{escape, page};
use streamflow_model::Stored;
use streamflow_performance::significant;

use crate::store::evaluations::StoredEvaluation;
use crate::store::models::ModelVersion;

/// Features that the page shows; `training.json` of the version has all of them.
const FEATURES_SHOWN: usize = 30;

/// The page: how the version came to be, its metrics, what its features contribute, and how right it was on months.
pub fn of_version(found: &ModelVersion, stored: &Stored, evaluations: &[StoredEvaluation]) -> String {
    let title = format!("{} version {}", found.name, found.version);
    let (learned, features) = match stored {
        Stored::Trained(trained) => {
            let record = &trained.record;
            let mut lines = vec![("trained on".to_owned(), found.as_of.clone())];
            lines.extend(record.describe().into_iter().map(|(name, value)| (name.to_owned(), value)));
            let features = record.importance.iter().take(FEATURES_SHOWN);
            (lines, features.map(|one| (one.feature.clone(), format!("{:.3}", one.gain_share))).collect())
        }
        Stored::Imported(import) => (super::foreign::parameters(import), Vec::new()),
    };
    let mut main = table("How it was made", ["", ""], &learned);
    main += &table("Metrics on rows that were held out", ["Metric", "Value"], &metrics(&found.metrics));
    main += &table("Features", ["Feature", "Share of gain"], &features);
    let of_version = evaluations.iter().filter(|one| one.version == found.version);
    let months: Vec<(String, String)> =
        of_version.map(|one| (one.period.clone(), text(&one.evaluation["verdict"]["reason"]))).collect();
    main += &table("Evaluations", ["Month", "Verdict"], &months);
    let header = format!(
        r#"<p class="over">StreamFlow {}</p><h1><bdi>{}</bdi></h1><p>A version for {}, made {}.</p>"#,
        env!("CARGO_PKG_VERSION"),
        escape(&title),
        escape(&found.task),
        escape(&found.created_at)
    );
    page(&title, "", &header, &main)
}

/// The numbers of a version's metrics by name.
fn metrics(metrics: &Value) -> Vec<(String, String)> {
    let nested = metrics["values"].as_object();
    let all = metrics.as_object().into_iter().chain(nested).flatten();
    all.filter_map(|(name, value)| Some((name.clone(), significant(value.as_f64()?)))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A section with a table; nothing without rows.
fn table(title: &str, head: [&str; 2], rows: &[(String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut html = format!(
        r#"<section><h2>{title}</h2><table class="plain"><thead><tr><th scope="col">{}</th><th scope="col">{}</th></tr></thead><tbody>"#,
        head[0], head[1]
    );
    for (name, value) in rows {
        let (name, value) = (escape(name), escape(value));
        let _ = write!(html, r#"<tr><th scope="row"><bdi>{name}</bdi></th><td><bdi>{value}</bdi></td></tr>"#);
    }
    html + "</tbody></table></section>"
}
