//! Feast's own tables against its feature server: the same entities have to have the same features.
//!
//! The tables are laid out as one version of Feast does it, and nothing promises that another one does the same. So they are
//! not believed until they say what the server says.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use streamflow_dataset::EntityKey;

use super::Name;
use super::feast::Feast;
use super::found::{Failure, Found, Known, Value};
use super::source::Source;

/// How often both are asked again before a difference counts: features may be on their way into the store.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// So many entities that both know have the same features in both.
    Same(usize),
    /// Neither knows any of the entities that were looked at, so that nothing was compared.
    Nothing,
    /// One of both did not answer.
    NotAsked(Failure),
}

/// Compares what is read directly with what the server says of some entities.
///
/// # Errors
/// The first difference; a table or a feature that is not there.
pub async fn compare(
    direct: &Source,
    server: &Feast,
    (key, names): (&EntityKey, &[Name]),
) -> anyhow::Result<Compared> {
    if names.is_empty() {
        return Ok(Compared::Nothing);
    }
    for attempt in 1.. {
        let (read, said) = (direct.ask(names).await, server.ask(names).await);
        let (read, said) = match (read, said) {
            (Ok(read), Ok(said)) => (read, said),
            (Err(failure), _) | (_, Err(failure)) if says_no(&failure) => return Err(failure.into()),
            (Err(failure), _) | (_, Err(failure)) => return Ok(Compared::NotAsked(failure)),
        };
        let pairs = names.iter().zip(read.iter().zip(&said));
        let mut differences = pairs.filter_map(|(name, (read, said))| Some((name, difference(read, said)?)));
        match differences.next() {
            None => {
                let both = read.iter().filter(|found| found.known == Known::Something).count();
                return Ok(if both == 0 { Compared::Nothing } else { Compared::Same(both) });
            }
            Some(_) if attempt < TRIES => tokio::time::sleep(PAUSE).await,
            Some((name, difference)) => bail!(
                "of the entity {} the tables at {} and the feature server at {} say different things: {difference}. Predictions \
                 would be made from other features than Feast serves: mend features.project and features.references, or leave \
                 features.store out, so that the feature server is asked",
                key.text(name),
                direct.shown(),
                server.shown_url()
            ),
        }
    }
    Ok(Compared::Nothing)
}

/// Whether somebody answers, and will answer the same to the next one who asks.
fn says_no(failure: &Failure) -> bool {
    match failure {
        Failure::Timeout { .. } | Failure::Unreachable { .. } => false,
        Failure::Refused { status, .. } => (400..500).contains(status),
        Failure::Said { .. } | Failure::Answer { .. } => true,
    }
}

/// What differs, as the end of a sentence.
fn difference(read: &Found, said: &Found) -> Option<String> {
    let (of_tables, of_server) = (values(read), values(said));
    match (read.known, said.known) {
        (Known::Nothing, Known::Nothing) => return None,
        (Known::Nothing, Known::Something) => {
            return Some("the tables know nothing of it, and the server does".to_owned());
        }
        (Known::Something, Known::Nothing) => {
            return Some("the server knows nothing of it, and the tables do".to_owned());
        }
        (Known::Something, Known::Something) => {}
    }
    of_tables.iter().find_map(|(name, read)| {
        let said = of_server.get(name);
        (said != Some(read)).then(|| {
            let said = said.map_or("not there".to_owned(), |said| shown(said));
            format!("{name} is {} in the tables and {said} by the server", shown(read))
        })
    })
}

fn values(found: &Found) -> BTreeMap<&str, &Value> {
    found.values.iter().map(|(name, value)| (&**name, value)).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Missing => "missing".to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let found = |values: &[(&str, Value)]| Found {
            known: if values.is_empty() { Known::Nothing } else { Known::Something },
            values: values.iter().map(|(name, value)| ((*name).into(), value.clone())).collect(),
            newest_ms: None,
        };
        let (one, two) = (Value::Number(1.0), Value::Number(2.0));
        for (read, said, expected) in [
            (vec![], vec![], None),
            (
                vec![("a", one.clone()), ("b", Value::Missing)],
                vec![("b", Value::Missing), ("a", one.clone())],
                None,
            ),
            (vec![("a", one.clone())], vec![], Some("the server knows nothing of it")),
            (vec![], vec![("a", one.clone())], Some("the tables know nothing of it")),
            (vec![("a", one.clone())], vec![("a", two)], Some("a is 1 in the tables and 2 by the server")),
            (
                vec![("a", Value::Missing)],
                vec![("a", Value::Text("x".into()))],
                Some("a is missing in the tables and \"x\""),
            ),
            (vec![("a", one)], vec![("b", Value::Boolean(true))], Some("and not there by the server")),
        ] {
            let difference = difference(&found(&read), &found(&said));
            match expected {
                None => assert_eq!(difference, None),
                Some(expected) => assert!(difference.as_ref().unwrap().contains(expected), "{difference:?}"),
            }
        }
    }
}
