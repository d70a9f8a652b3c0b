//! The steps that a database has taken from nothing to today's form. A database remembers the checksum of each.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::NEWEST;

fn step(version: i64, description: &'static str, sql: &'static str) -> Migration {
    Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
}

/// The steps of SQLite.
pub(super) fn sqlite() -> Migrator {
    let mut steps = vec![
        step(1, "runs and models", include_str!("migrations/0001_runs_and_models.sql")),
        step(2, "model task", include_str!("migrations/0002_model_task.sql")),
        step(3, "report of run", include_str!("migrations/0003_report_of_run.sql")),
        step(4, "process of run", include_str!("migrations/0004_process_of_run.sql")),
        step(5, "runner", include_str!("migrations/0005_runner.sql")),
        step(6, "notifications", include_str!("migrations/0006_notifications.sql")),
        step(7, "prefect", include_str!("migrations/0007_prefect.sql")),
        step(8, "cache and ends", include_str!("migrations/0008_cache_and_ends.sql")),
        step(9, "audit of requests", include_str!("migrations/0009_audit_of_requests.sql")),
        step(10, "forgetting", include_str!("migrations/0010_forgetting.sql")),
        step(11, "origin of a version", include_str!("migrations/0011_origin.sql")),
        step(12, "mlflow", include_str!("migrations/0012_mlflow.sql")),
        step(13, "live", include_str!("migrations/0013_live.sql")),
        step(14, "labels", include_str!("migrations/0014_labels.sql")),
        step(15, "canary", include_str!("migrations/0015_canary.sql")),
        step(16, "classes of labels", include_str!("migrations/0016_classes_of_labels.sql")),
        step(17, "what was said of live traffic", include_str!("migrations/0017_live_said.sql")),
    ];
    steps.extend(of_both());
    steps.push(step(20, "pushed features", include_str!("migrations/0020_pushed_features.sql")));
    Migrator::with_migrations(steps)
}

/// The steps of Postgres, which has no past before the seventeenth.
pub(super) fn postgres() -> Migrator {
    let mut steps = vec![step(17, "schema", include_str!("migrations/postgres/0017_schema.sql"))];
    steps.extend(of_both());
    steps.push(step(20, "pushed features", include_str!("migrations/postgres/0020_pushed_features.sql")));
    Migrator::with_migrations(steps)
}

/// Steps in words that both read.
fn of_both() -> Vec<Migration> {
    vec![
        step(18, "leader", include_str!("migrations/0018_leader.sql")),
        step(19, "sessions", include_str!("migrations/0019_sessions.sql")),
    ]
}

/// Refuses a database that a later release has brought up to its own date: nothing is known of what it holds.
pub(super) fn refuse_newer(version: i64) -> Result<(), Newer> {
    match version > NEWEST {
        true => Err(Newer { version }),
        false => Ok(()),
    }
}

/// A database that a later release has changed.
#[derive(Debug, thiserror::Error)]
#[error(
    "it has the version {version} of a later release, and this one knows versions up to {NEWEST}: use that release, or \
     restore a backup that was made before the upgrade (`streamflow restore`)"
)]
pub struct Newer {
    pub version: i64,
}
