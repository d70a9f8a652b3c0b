//! How it goes with MLflow servers, told by whoever asks them, for `/ready` and the metrics.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use serde::Serialize;
use utoipa::ToSchema;

/// How it goes with the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Mlflow)]
pub struct Status {
    /// Its address without secrets.
    pub server: String,
    /// Versions that it was not told of yet.
    pub backlog: i64,
    /// What is served of it, where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
    /// Why it is not reached, or why what is asked of it cannot be served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What is known of everything that is followed or told; empty where no server is named.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<ArcSwap<Vec<Status>>>);

impl Watched {
    /// One for each thing that is followed, in the order in which they were first told of.
    pub fn load(&self) -> Guard<Arc<Vec<Status>>> {
        self.0.load()
    }

    /// Takes what is known of what `status` follows, and logs a trouble that began, changed or ended.
    pub fn tell(&self, status: Status) {
        let before = self.load().iter().find(|known| known.follows == status.follows).cloned();
        match (before.and_then(|before| before.trouble), &status.trouble) {
            (before, Some(reason)) if before.as_ref() != Some(reason) => {
                tracing::warn!("what is loaded goes on being served: {reason}");
            }
            (Some(_), None) => tracing::info!("MLflow at {} answers again", status.server),
            _ => {}
        }
        self.0.rcu(|all| {
            let mut all = Vec::clone(all);
            match all.iter_mut().find(|known| known.follows == status.follows) {
                Some(known) => known.clone_from(&status),
                None => all.push(status.clone()),
            }
            all
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_its_own_trouble() {
        let of = |follows: &str, trouble: Option<&str>| Status {
            follows: Some(follows.to_owned()),
            trouble: trouble.map(str::to_owned),
            ..Status::default()
        };
        let watched = Watched::default();
        let told = [of("models:/a@champion", Some("gone")), of("models:/b@champion", None)];
        told.iter().for_each(|status| watched.tell(status.clone()));
        assert_eq!(watched.load().as_slice(), told);
        watched.tell(of("models:/a@champion", None));
        assert!(watched.load().iter().all(|status| status.trouble.is_none()));
        assert_eq!(watched.load().len(), 2);
    }
}
