//! Two months of the worked example, through the configuration that `streamflow init` writes.

use std::fs;
use std::path::PathBuf;

use streamflow_dataset::{Counts, DatasetSpec, Outcome, PointInTime, Snapshots, TableFile, Values};

use crate::{date, shared};

fn template() -> DatasetSpec {
    #[derive(serde::Deserialize)]
    struct Config {
        dataset: DatasetSpec,
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../streamflow/templates/streamflow.toml");
    let config: Config = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    config.dataset
}

/// The months; `None`, loudly, where the data is not there.
fn months() -> Option<[PathBuf; 2]> {
    let course = shared("data/course")?;
    Some(["month_000", "month_001"].map(|month| course.join(month)))
}

#[test]
fn the_template_is_a_good_configuration() {
    let spec = template();
    spec.validate().unwrap();
    assert_eq!((spec.features.len(), spec.tables.len()), (14, 6));
}

#[test]
fn both_months() {
    let Some(months) = months() else { return };
    let data = tempfile::tempdir().unwrap();
    let store = Snapshots::open(data.path(), template()).unwrap();
    for (month, as_of) in months.iter().zip(["2024-01-31", "2024-02-29"]) {
        let mut seen = Vec::new();
        let report = store
            .ingest(month, date(as_of), false, &mut |progress| {
                seen.push((progress.bytes, progress.total_bytes))
            })
            .unwrap();
        assert_eq!(report.outcome, Outcome::Created);
        assert_eq!(report.snapshot.rows(), 6 * 7043);
        assert!(report.validation.unwrap().success() && report.ignored_files.is_empty());
        assert!(seen.is_sorted() && seen.last().is_some_and(|(bytes, total)| bytes == total), "{seen:?}");
        let again = store.ingest(month, date(as_of), false, &mut |_| {}).unwrap();
        assert_eq!((again.outcome, again.snapshot), (Outcome::Unchanged, report.snapshot));
    }
    let error = store.ingest(&months[1], date("2024-01-31"), false, &mut |_| {}).unwrap_err().to_string();
    // Users and subscriptions are the same in both months.
    let tables = "labels (other content), payments_agg_90d (other content), support_agg_90d (other content), usage_agg_30d (other content)";
    assert!(error.contains(tables) && !error.contains("subscriptions"), "{error}");

    for (as_of, churned) in [("2024-01-31", 1869), ("2024-02-29", 1701)] {
        let frame = store.point_in_time(date(as_of), PointInTime { labels: true, exact: true }).unwrap();
        assert_eq!((frame.rows, frame.columns.len()), (7043, 16));
        for name in ["plan_stream_tv", "plan_stream_movies"] {
            assert_eq!(frame.column(name).unwrap().values.missing(), 1526, "{name}");
        }
        let Values::Boolean(labels) = &frame.column("churn_label").unwrap().values else {
            panic!("not boolean")
        };
        assert_eq!(labels.iter().filter(|label| **label == Some(true)).count(), churned);
        let Values::Text { levels, .. } = &frame.columns[0].values else { panic!("not text") };
        assert!(levels.is_sorted() && levels.len() == 7043);
    }
    let frame = store.point_in_time(date("2024-02-29"), PointInTime { labels: true, exact: true }).unwrap();
    let row = (0..frame.rows)
        .find(|row| frame.columns[0].values.text(*row).as_deref() == Some("7590-VHVEG"))
        .unwrap();
    let value = |name: &str| frame.column(name).unwrap().values.text(row).unwrap();
    assert_eq!(
        (value("watch_hours_30d").as_str(), value("churn_label").as_str()),
        ("24.21779534835315", "true")
    );
}

#[test]
fn files_read_without_a_configuration() {
    let Some(months) = months() else { return };
    let table = TableFile::open(&months[0].join("subscriptions.csv")).unwrap();
    let columns = crate::all_columns(table).unwrap();
    let column = |name: &str| columns.iter().find(|column| column.name == name).unwrap();
    let plans = column("plan_stream_tv");
    assert_eq!((plans.rows(), plans.missing), (7043, 1526));
    assert!(matches!(plans.values, Counts::Boolean(_)));
    let Counts::Integer(months) = &column("months_active").values else { panic!("not integer") };
    assert_eq!(months.counts.iter().map(|(value, _)| value).max(), Some(&72));
}
