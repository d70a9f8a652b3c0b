//! Features in a Redis that `streamflow features push` fills: read for predictions, and written.

use std::collections::HashMap;
use std::sync::Arc;

use streamflow_dataset::EntityKey;

use super::Name;
use super::found::{Failure, Found};
use super::own_layout as layout;
use super::redis_server::RedisServer;

/// Our own keys in a Redis.
pub struct OwnRedis {
    pub(super) server: RedisServer,
    pub(super) prefix: String,
    key: EntityKey,
}

/// What is known of the last push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPush {
    /// What names it.
    pub id: String,
    /// The month whose features it brings.
    pub as_of: String,
    /// When it began.
    pub started_at: String,
    /// When it ended; none while it is under way, and of one that was cut off.
    pub ended_at: Option<String>,
    /// How many entities it brought, of one that ended.
    pub entities: Option<String>,
}

impl OwnRedis {
    pub fn new(server: RedisServer, prefix: &str, key: &EntityKey) -> Self {
        Self { server, prefix: prefix.to_owned(), key: key.clone() }
    }

    pub fn shown(&self) -> &str {
        self.server.shown()
    }

    /// What is known of each entity, in their order.
    pub async fn ask(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        let mut commands = redis::Pipeline::with_capacity(names.len());
        for name in names {
            commands.cmd("HGETALL").arg(layout::entity(&self.prefix, &self.key.text(name)));
        }
        let hashes: Vec<HashMap<String, String>> = self.server.query(&commands).await?;
        hashes
            .into_iter()
            .map(|fields| layout::found(fields).map(Arc::new).map_err(|e| self.unreadable(e)))
            .collect()
    }

    /// The last push; none where there never was one.
    ///
    /// # Errors
    /// The server does not answer, or has another layout.
    pub async fn last_push(&self) -> Result<Option<LastPush>, Failure> {
        let mut commands = redis::Pipeline::new();
        commands.cmd("HGETALL").arg(layout::last_push(&self.prefix));
        let (mut fields,): (HashMap<String, String>,) = self.server.query(&commands).await?;
        if fields.is_empty() {
            return Ok(None);
        }
        match fields.get("layout").map(String::as_str) {
            Some(layout::LAYOUT) => {}
            other => {
                return Err(self.unreadable(format!(
                    "{} has the layout {:?}; this release knows {}. Push again with this release, or choose another features.prefix",
                    layout::last_push(&self.prefix),
                    other.unwrap_or_default(),
                    layout::LAYOUT
                )));
            }
        }
        let mut take = |name: &str| fields.remove(name);
        Ok(Some(LastPush {
            id: take("push").unwrap_or_default(),
            as_of: take("as_of").unwrap_or_default(),
            started_at: take("started_at").unwrap_or_default(),
            ended_at: take("ended_at"),
            entities: take("entities"),
        }))
    }

    pub(super) fn unreadable(&self, reason: String) -> Failure {
        Failure::Answer { url: self.shown().to_owned(), reason }
    }
}
