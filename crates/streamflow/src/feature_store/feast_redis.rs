//! Feast's online store in a Redis, read without its feature server.
//!
//! An entity is a hash whose key is [`feast_bytes::entity_key`] with the name of the project behind it. A feature has the field
//! [`feast_bytes::field`], and a view the field `_ts:VIEW` with the time of its features; a view without one knows nothing of the
//! entity.

use std::sync::Arc;

use streamflow_dataset::EntityKey;

use super::Name;
use super::feast_bytes as bytes;
use super::found::{Failure, Found, Known, Value};
use super::redis_server::RedisServer;
use super::references::{View, views};

/// Feast's keys in a Redis.
pub struct FeastRedis {
    server: RedisServer,
    project: String,
    key: EntityKey,
    views: Vec<View>,
    /// The fields that are read, view by view: that of its time, then those of its features.
    fields: Vec<Vec<u8>>,
    features: usize,
}

impl FeastRedis {
    pub fn new(server: RedisServer, project: &str, references: &[String], key: &EntityKey) -> Self {
        let views = views(references);
        let mut fields = Vec::new();
        for view in &views {
            fields.push(format!("_ts:{}", view.name).into_bytes());
            fields
                .extend(view.features.iter().map(|(feature, _)| bytes::field(&view.name, feature).to_vec()));
        }
        let features = views.iter().map(|view| view.features.len()).sum();
        Self { server, project: project.to_owned(), key: key.clone(), views, fields, features }
    }

    pub fn shown(&self) -> &str {
        self.server.shown()
    }

    /// What is known of each entity, in their order.
    pub async fn ask(&self, names: &[Name]) -> Result<Vec<Arc<Found>>, Failure> {
        let mut commands = redis::Pipeline::with_capacity(names.len());
        for name in names {
            let mut key = bytes::entity_key(&self.key, name);
            key.extend(self.project.as_bytes());
            commands.cmd("HMGET").arg(key).arg(&self.fields);
        }
        let stored: Vec<Vec<Option<Vec<u8>>>> = self.server.query(&commands).await?;
        stored.iter().map(|fields| self.found(fields).map(Arc::new)).collect()
    }

    fn found(&self, fields: &[Option<Vec<u8>>]) -> Result<Found, Failure> {
        if fields.len() != self.fields.len() {
            let (expected, got) = (self.fields.len(), fields.len());
            return Err(self.unreadable(format!("expected {expected} fields of an entity, got {got}")));
        }
        let mut found = Found {
            known: Known::Nothing,
            values: vec![(Arc::from(""), Value::Missing); self.features],
            newest_ms: None,
        };
        let mut fields = fields.iter();
        for view in &self.views {
            let time = fields.next().and_then(Option::as_ref);
            if let Some(time) = time {
                let time = bytes::time_ms(time).map_err(|expected| {
                    self.unreadable(format!("the time of {}: expected {expected}", view.name))
                })?;
                found.known = Known::Something;
                found.newest_ms = found.newest_ms.max(Some(time));
            }
            for (feature, place) in &view.features {
                let stored = fields.next().and_then(Option::as_ref).filter(|_| time.is_some());
                let value =
                    stored.map_or(Ok(Value::Missing), |stored| bytes::value(stored)).map_err(|expected| {
                        self.unreadable(format!("{}:{feature}: expected {expected}", view.name))
                    })?;
                found.values[*place] = (feature.clone(), value);
            }
        }
        Ok(found)
    }

    fn unreadable(&self, reason: String) -> Failure {
        Failure::Answer { url: self.shown().to_owned(), reason }
    }
}
