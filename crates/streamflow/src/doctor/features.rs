//! Where features come from: what the feature store gives, and whether it is to be believed.

use std::collections::HashSet;

use streamflow_dataset::{ColumnType, KeyPart};

use super::{Found, Project};
use crate::config::Config;
use crate::feature_store::{Compared, FeatureStore, LastPush, Name, OwnRedis};
use crate::workspace;

/// Entities that are compared between Feast's own tables and its feature server.
const COMPARED: usize = 20;

/// What the feature store gives of the features that the model is configured with; nothing is said where none is asked.
pub async fn feature_store(project: &Project) -> Vec<Found> {
    let config = &project.config;
    let store = match FeatureStore::of(&config.features, &config.base, &config.dataset.entity) {
        Ok(None) => return Vec::new(),
        Ok(Some(store)) => store,
        Err(error) => return vec![Found::wrong(format!("{error:#}"), "mend the section [features]")],
    };
    if let Some(own) = store.own() {
        return vec![pushed(own, &config.features.prefix).await];
    }
    // Nobody has this name: the answer says what would be given of somebody.
    let part = |kind: &ColumnType| match kind {
        ColumnType::Integer => KeyPart::Integer(i64::MIN),
        _ => KeyPart::Text("".into()),
    };
    let nobody: Name = config.dataset.key_types().iter().map(part).collect();
    let mut found = vec![match store.look_up(&[nobody]).await {
        Err(error) => Found::wrong(
            error.to_string(),
            "start what answers there, or mend the addresses, features.project, features.service and features.references",
        ),
        Ok(found) => {
            given(&store, config, found.iter().flat_map(|found| &found.values).map(|(name, _)| &**name))
        }
    }];
    if config.features.store.is_some() && config.features.url.is_some() {
        found.push(compared(&store, project).await);
    }
    found
}

/// What is known of the last `streamflow features push`.
async fn pushed(own: &OwnRedis, prefix: &str) -> Found {
    let push = "`streamflow features push` puts the features of the newest month there";
    let url = own.shown();
    match own.last_push().await {
        Err(error) => {
            Found::wrong(error.to_string(), "start the Redis, or mend features.store and features.prefix")
        }
        Ok(None) => Found::wrong(format!("no features were pushed to {url} under the prefix {prefix}"), push),
        Ok(Some(LastPush { as_of, started_at, ended_at: None, .. })) => Found::warn(
            format!("the push of the features of {as_of} to {url} that began at {started_at} has not ended"),
            format!("wait where it is under way; else {push}"),
        ),
        Ok(Some(LastPush { as_of, ended_at: Some(at), entities, .. })) => Found::ok(format!(
            "{url} has the features of {} entities as of {as_of}, pushed at {at}",
            entities.unwrap_or_default()
        )),
    }
}

/// Whether Feast's own tables say what its feature server says.
async fn compared(store: &FeatureStore, project: &Project) -> Found {
    let config = &project.config;
    let dataset = config.dataset.clone();
    let data_dir = project.data_dir.clone();
    let names = tokio::task::spawn_blocking(move || {
        let key = dataset.entity.clone();
        let types = dataset.key_types();
        let Some((_, table)) = workspace::look_at(&data_dir, dataset)?.online_features()? else {
            return anyhow::Ok(Vec::new());
        };
        let step = table.rows.div_ceil(COMPARED).max(1);
        let texts = (0..table.rows).step_by(step).map(|row| key.text_of_row(&table, row));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let owned = |part: KeyPart<'_>| match part {
            KeyPart::Text(text) => KeyPart::Text(text.into_owned().into()),
            KeyPart::Integer(number) => KeyPart::Integer(number),
        };
        let name =
            |text: &String| key.parts(text, &types).ok().map(|parts| parts.into_iter().map(owned).collect());
        Ok(texts.iter().filter_map(name).collect::<Vec<Name>>())
    });
    let remedy = "start what does not answer, ingest a month, or leave features.url out where nothing is to be compared";
    let compared = match names.await {
        Ok(Ok(names)) => store.compare(&config.base, &names).await,
        Ok(Err(error)) => Err(error),
        Err(error) => Err(error.into()),
    };
    match compared {
        Ok(Some(Compared::Same(entities))) => {
            Found::ok(format!("Feast's own tables say of {entities} entities what its feature server says"))
        }
        Ok(Some(Compared::NotAsked(failure))) => Found::warn(
            format!("Feast's own tables were not compared with its feature server: {failure}"),
            remedy,
        ),
        Ok(None | Some(Compared::Nothing)) => Found::warn(
            "Feast's own tables were not compared with its feature server: neither knows any entity of the newest snapshot",
            remedy,
        ),
        Err(error) => Found::wrong(format!("{error:#}"), "see what it says"),
    }
}

fn given<'a>(store: &FeatureStore, config: &Config, names: impl Iterator<Item = &'a str>) -> Found {
    let names: HashSet<&str> = names.collect();
    let lacking: Vec<&str> =
        config.dataset.features.iter().map(String::as_str).filter(|name| !names.contains(name)).collect();
    let all = config.dataset.features.len();
    let (url, given) = (store.shown_url(), all - lacking.len());
    match (given, lacking.is_empty()) {
        (_, true) => Found::ok(format!("the feature store at {url} gives all {all} features")),
        (0, _) => Found::wrong(
            format!("the feature store at {url} gives none of the {all} features"),
            "ask for a service or for references that have features of dataset.features",
        ),
        _ => Found::warn(
            format!(
                "the feature store at {url} gives {given} of {all} features; {} come from the newest snapshot",
                lacking.join(", ")
            ),
            "nothing where that is meant; else add them to the service or to features.references",
        ),
    }
}
