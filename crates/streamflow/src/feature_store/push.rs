//! The features of a month on their way into a Redis.
//!
//! Entities are written in portions, each in one transaction: whoever reads sees the features of an entity from one push. Those
//! of entities that the month does not have are deleted at the end. A push that is cut off leaves each entity whole, some of them of
//! the push before; the next one mends that.

use std::num::NonZeroU64;

use anyhow::{Context as _, bail};
use redis::Pipeline;
use streamflow_dataset::{EntityKey, Frame, Period, Values};

use super::found::{Failure, Value};
use super::own_layout as layout;
use super::own_redis::OwnRedis;

/// Entities of one transaction.
const PORTION: usize = 500;
/// For how long a push that has died keeps others out.
const LOCK_MS: u64 = 60_000;
/// Deletes the lock where it is still that of this push.
const UNLOCK: &str =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";
/// Holds the lock for longer, where it is still that of this push.
const HOLD: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0";

/// A month with the features of its entities.
pub struct Month<'a> {
    /// The month.
    pub as_of: Period,
    /// Its table.
    pub frame: &'a Frame,
    /// The columns that name an entity.
    pub key: &'a EntityKey,
    /// The features that are pushed.
    pub features: &'a [String],
}

/// How it is pushed.
pub struct Manner {
    /// A name that no other push has.
    pub id: String,
    /// For how long the features stay.
    pub ttl_seconds: Option<NonZeroU64>,
    /// Whether older features may take the place of newer ones.
    pub may_go_back: bool,
}

/// What a push came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Pushed {
    /// Entities that were written.
    pub entities: usize,
    /// Entities of earlier pushes that were deleted.
    pub deleted: usize,
}

impl OwnRedis {
    /// Puts the features of a month in the place of those that are there.
    ///
    /// # Errors
    /// The server does not answer; another push is under way; what is there is newer; a feature that cannot be stored.
    pub async fn push(&self, month: &Month<'_>, manner: &Manner) -> anyhow::Result<Pushed> {
        if let Some(name) = month.features.iter().find(|name| !layout::is_feature(name)) {
            bail!(
                "the feature {name:?} begins with @, which is kept for fields of our own; rename it, or leave it out"
            );
        }
        self.lock(&manner.id).await?;
        let pushed = self.push_locked(month, manner).await;
        let mut unlock = Pipeline::new();
        unlock.cmd("EVAL").arg(UNLOCK).arg(1).arg(layout::lock(&self.prefix)).arg(&manner.id);
        let unlocked: Result<(i64,), Failure> = self.server.query(&unlock).await;
        let pushed = pushed?;
        unlocked.context(
            "the features are there; the lock of this push is not gone, and goes by itself within a minute",
        )?;
        Ok(pushed)
    }

    async fn lock(&self, id: &str) -> anyhow::Result<()> {
        let mut commands = Pipeline::new();
        commands.cmd("SET").arg(layout::lock(&self.prefix)).arg(id).arg("NX").arg("PX").arg(LOCK_MS);
        let (locked,): (Option<String>,) = self.server.query(&commands).await?;
        if locked.is_none() {
            bail!(
                "another push into {} under the prefix {} is under way, or died within the last minute; try again in a minute",
                self.shown(),
                self.prefix
            );
        }
        Ok(())
    }

    async fn push_locked(&self, month: &Month<'_>, manner: &Manner) -> anyhow::Result<Pushed> {
        let at = month.as_of.timestamp().with_context(|| format!("{} has no time in UTC", month.as_of))?;
        self.check_older(month.as_of, manner).await?;
        let mut begin = Pipeline::new();
        let last = layout::last_push(&self.prefix);
        begin.atomic().cmd("DEL").arg(&last).ignore();
        begin.cmd("HSET").arg(&last).arg("layout").arg(layout::LAYOUT).arg("push").arg(&manner.id);
        begin.arg("as_of").arg(month.as_of.to_string()).arg("started_at").arg(now()).ignore();
        self.server.query::<()>(&begin).await?;
        let columns = Columns::of(month)?;
        for start in (0..month.frame.rows).step_by(PORTION) {
            let rows = start..month.frame.rows.min(start + PORTION);
            self.write(month, &columns, rows, (&at.to_string(), manner)).await?;
        }
        let deleted = self.delete_others(&manner.id).await?;
        let mut end = Pipeline::new();
        end.cmd("HSET").arg(&last).arg("ended_at").arg(now()).arg("entities").arg(month.frame.rows).ignore();
        self.server.query::<()>(&end).await?;
        Ok(Pushed { entities: month.frame.rows, deleted })
    }

    async fn check_older(&self, as_of: Period, manner: &Manner) -> anyhow::Result<()> {
        let Some(last) = self.last_push().await? else { return Ok(()) };
        match last.as_of.parse::<Period>() {
            Ok(there) if there > as_of && !manner.may_go_back => bail!(
                "{} has the features of {there} under the prefix {}, and those of {as_of} are older; --go-back puts them in their place",
                self.shown(),
                self.prefix
            ),
            _ => Ok(()),
        }
    }

    async fn write(
        &self,
        month: &Month<'_>,
        columns: &Columns<'_>,
        rows: std::ops::Range<usize>,
        (at, manner): (&str, &Manner),
    ) -> anyhow::Result<()> {
        let mut commands = Pipeline::new();
        commands.atomic();
        for row in rows {
            let key = layout::entity(&self.prefix, &month.key.text_of_row(month.frame, row)?);
            commands.cmd("DEL").arg(&key).ignore();
            commands.cmd("HSET").arg(&key).arg(layout::AS_OF).arg(at).arg(layout::PUSH).arg(&manner.id);
            for (name, values) in &columns.0 {
                commands.arg(*name).arg(layout::written(&value(values, row)));
            }
            commands.ignore();
            if let Some(seconds) = manner.ttl_seconds {
                commands.cmd("EXPIRE").arg(&key).arg(seconds.get()).ignore();
            }
        }
        self.server.query::<()>(&commands).await?;
        self.hold(&manner.id).await
    }

    /// Keeps others out for another minute.
    async fn hold(&self, id: &str) -> anyhow::Result<()> {
        let mut commands = Pipeline::new();
        commands.cmd("EVAL").arg(HOLD).arg(1).arg(layout::lock(&self.prefix)).arg(id).arg(LOCK_MS);
        let (held,): (i64,) = self.server.query(&commands).await?;
        if held == 0 {
            bail!(
                "this push took longer than a minute for a portion, and another one may have begun; push again"
            );
        }
        Ok(())
    }

    /// Deletes the entities that this push did not bring.
    async fn delete_others(&self, id: &str) -> anyhow::Result<usize> {
        let (mut cursor, mut deleted) = ("0".to_owned(), 0);
        loop {
            let mut scan = Pipeline::new();
            scan.cmd("SCAN")
                .arg(&cursor)
                .arg("MATCH")
                .arg(layout::entities(&self.prefix))
                .arg("COUNT")
                .arg(1000);
            let ((next, keys),): ((String, Vec<String>),) = self.server.query(&scan).await?;
            if !keys.is_empty() {
                let mut look = Pipeline::new();
                keys.iter().for_each(|key| {
                    look.cmd("HGET").arg(key).arg(layout::PUSH);
                });
                let found: Vec<Option<String>> = self.server.query(&look).await?;
                let others =
                    keys.iter().zip(found).filter(|(_, push)| push.as_deref().is_some_and(|push| push != id));
                let mut delete = Pipeline::new();
                others.for_each(|(key, _)| {
                    delete.cmd("UNLINK").arg(key);
                });
                if !delete.is_empty() {
                    let gone: Vec<usize> = self.server.query(&delete).await?;
                    deleted += gone.into_iter().sum::<usize>();
                }
                self.hold(id).await?;
            }
            cursor = next;
            if cursor == "0" {
                return Ok(deleted);
            }
        }
    }
}

/// The columns of the features.
struct Columns<'a>(Vec<(&'a str, &'a Values)>);

impl<'a> Columns<'a> {
    fn of(month: &Month<'a>) -> anyhow::Result<Self> {
        let column = |name: &'a String| {
            let found = month.frame.column(name);
            let found =
                found.with_context(|| format!("the month {} lacks the column {name}", month.as_of))?;
            if matches!(found.values, Values::Date(_)) {
                bail!("the feature {name} is a date, which no model takes; leave it out of dataset.features");
            }
            Ok((name.as_str(), &found.values))
        };
        Ok(Self(month.features.iter().map(column).collect::<anyhow::Result<_>>()?))
    }
}

fn value(values: &Values, row: usize) -> Value {
    let number = |number: f64| if number.is_finite() { Value::Number(number) } else { Value::Missing };
    match values {
        Values::Float(values) => number(values[row]),
        Values::Integer(values) => {
            values[row].map_or(Value::Missing, |integer| Value::Number(integer as f64))
        }
        Values::Boolean(values) => values[row].map_or(Value::Missing, Value::Boolean),
        Values::Text { codes, levels } => {
            let level = usize::try_from(codes[row]).ok().and_then(|code| levels.get(code));
            level.map_or(Value::Missing, |level| Value::Text(level.to_string()))
        }
        Values::Date(_) => Value::Missing,
    }
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
