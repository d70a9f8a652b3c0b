//! Features that come with a request: merged over the stored ones for its answer, and for all who are told of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};
use streamflow::api::observed::{Asked, ObservedRow, Observer};
use streamflow::api::shadow::Shadow;
use streamflow::canary::Share;
use streamflow::serving::{Canary, Entity, Loaded, Serving};
use streamflow_dataset::KeyPart;
use streamflow_model::{Answer, FeatureValue};

use super::client::Client;
use super::fixture::{FEATURES, Server, USERS, serving, serving_of, table, user_id};
use super::settings;

/// A sent value of each feature, null among them.
fn value_of(place: usize) -> BoxedStrategy<Value> {
    match place {
        0 => prop_oneof![Just(Value::Null), (-5_i64..90).prop_map(|number| json!(number))].boxed(),
        1 => prop_oneof![Just(Value::Null), (-1e3_f64..1e3).prop_map(|number| json!(number))].boxed(),
        2 => prop_oneof![Just(Value::Null), any::<bool>().prop_map(|truth| json!(truth))].boxed(),
        _ => prop_oneof![Just(Value::Null), Just(json!("basic")), Just(json!("family"))].boxed(),
    }
}

/// Some of the features, each with its value.
fn some_features() -> impl Strategy<Value = Vec<(usize, Value)>> {
    prop::sample::subsequence((0..FEATURES.len()).collect::<Vec<_>>(), 0..=FEATURES.len()).prop_flat_map(
        |places| places.into_iter().map(|place| (Just(place), value_of(place))).collect::<Vec<_>>(),
    )
}

fn probability(serving: &Serving, values: &[FeatureValue]) -> f64 {
    match serving.model.answer(values).unwrap() {
        Answer::Probability(probability) => probability,
        other => panic!("{other:?}"),
    }
}

/// The stored values of a user with some in their place; of an unknown user nothing is stored.
fn merged<'a>(serving: &'a Serving, user: &str, sent: &'a [(usize, Value)]) -> Option<Vec<FeatureValue<'a>>> {
    let entity = Entity { key: &serving.key, parts: vec![KeyPart::Text(user.into())] };
    let stored = serving.features.find(&entity).map(|row| serving.features.values(row));
    let mut values = match stored {
        Some(values) => values,
        None if sent.len() == FEATURES.len() => vec![FeatureValue::Missing; FEATURES.len()],
        None => return None,
    };
    for (place, value) in sent {
        values[*place] = match value {
            Value::Bool(truth) => FeatureValue::Boolean(*truth),
            Value::Number(number) => FeatureValue::Number(number.as_f64().unwrap()),
            Value::String(text) => FeatureValue::Text(text),
            _ => FeatureValue::Missing,
        };
    }
    Some(values)
}

#[test]
fn an_answer_is_the_models_own_to_the_merged_values() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::loaded(settings()));
    let (address, serving) = (server.address, server.served.load_full().unwrap());
    let post = |path: &str, body: &Value| {
        runtime.block_on(async { Client::new(address).await.post(path, &body.to_string()).await })
    };
    // One user more than there are, who is unknown.
    proptest!(ProptestConfig::with_cases(200), |(row in 0..=USERS, sent in some_features())| {
        let user = user_id(row);
        let members = |sent: &[(usize, Value)]| -> Value {
            sent.iter().rev().map(|(place, value)| (FEATURES[*place].to_owned(), value.clone())).collect::<serde_json::Map<_, _>>().into()
        };
        let one = post("/predict", &json!({ "user_id": user, "features": members(&sent) }));
        let answer = one.json();
        match merged(&serving, &user, &sent) {
            Some(values) => {
                prop_assert_eq!(&answer["probability"], &json!(probability(&serving, &values)), "{}", one.text());
                let names: Vec<&str> = sent.iter().map(|(place, _)| FEATURES[*place]).collect();
                let found = answer.get("features_sent").cloned();
                prop_assert_eq!(found, (!names.is_empty()).then(|| json!(names)), "{}", one.text());
                for (place, value) in &sent {
                    let used = &answer["features_used"][FEATURES[*place]];
                    prop_assert!(used == value || used.as_f64() == value.as_f64() && used.is_number(), "{}", one.text());
                }
            }
            None => {
                prop_assert_eq!(one.status, 404);
                let lacking: Vec<&str> = (0..FEATURES.len()).filter(|place| sent.iter().all(|(of, _)| of != place)).map(|place| FEATURES[place]).collect();
                prop_assert_eq!(&answer["missing_features"], &json!(lacking));
            }
        }
        // The same in a batch, beside one that sends nothing.
        let batch = post("/predict/batch", &json!({ "entities": ["U0001", user], "features": [null, members(&sent)] })).json();
        let mut alone = post("/predict", &json!({ "user_id": "U0001" })).json();
        prop_assert_eq!(&batch["predictions"][0], &alone);
        alone = answer;
        if one.status == 404 {
            alone["user_id"] = json!(user);
        }
        prop_assert_eq!(&batch["predictions"][1], &alone);
    });
    runtime.block_on(server.stop());
}

#[tokio::test]
async fn an_answer_without_sent_features_is_byte_for_byte_the_same() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    let alone = client.post("/predict", r#"{"user_id":"U0001"}"#).await;
    assert!(!alone.text().contains("features_sent"), "{}", alone.text());
    for body in [r#"{"user_id":"U0001","features":{}}"#, r#"{"features":null,"user_id":"U0001"}"#] {
        assert_eq!(client.post("/predict", body).await.text(), alone.text(), "{body}");
    }
    server.stop().await;
}

/// The features that were told of each row.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn row(&self, row: &ObservedRow<'_>) {
        let features = row.features.map_or("none".to_owned(), |features| format!("{features:?}"));
        self.0.lock().unwrap().push(format!("{} {features}", row.status));
    }

    fn request(&self, _: &Asked, _: u16) {}
}

#[tokio::test]
async fn observers_are_told_the_merged_values() {
    let told = Arc::new(Told::default());
    let server = Server::observed(settings(), told.clone()).await;
    let mut client = Client::new(server.address).await;
    let sent = r#"{"plan":"basic","monthly_fee":null}"#;
    let merged = r#"200 [Number(7.0), Missing, Boolean(false), Text("basic")]"#;
    let stored = r#"200 [Number(7.0), Number(1.95), Boolean(false), Text("family")]"#;
    let all = r#"{"tenure_months":1,"monthly_fee":2,"auto_renew":true,"plan":null}"#;
    let of_all = "200 [Number(1.0), Number(2.0), Boolean(true), Missing]";
    for (path, body, expected) in [
        ("/predict", format!(r#"{{"user_id":"U0001","features":{sent}}}"#), vec![merged]),
        ("/predict/churn", format!(r#"{{"user_id":"?","features":{all}}}"#), vec![of_all]),
        ("/predict", format!(r#"{{"user_id":"?","features":{sent}}}"#), vec!["404 none"]),
        (
            "/predict/batch",
            format!(r#"{{"entities":["U0001","U0001"],"features":[null,{sent}]}}"#),
            vec![stored, merged],
        ),
        // Nobody is answered where one of the values is wrong.
        ("/predict/batch", r#"{"entities":["U0001","U0001"],"features":[null,{"plan":1}]}"#.into(), vec![]),
    ] {
        client.post(path, &body).await;
        assert_eq!(std::mem::take(&mut *told.0.lock().unwrap()), expected, "{body}");
    }
    server.stop().await;
}

/// A shadow that is the version in production says the same only where it is given the same values.
#[tokio::test]
async fn a_shadow_is_given_the_merged_values() {
    let shadow = Shadow::start(1.0).unwrap();
    shadow.replace(Some((2, serving(&table(), "2", date(2024, 1, 31)).model)));
    let server = Server::observed(settings(), shadow.clone()).await;
    let mut client = Client::new(server.address).await;
    let mut given = Vec::new();
    for tenure in [1, 50] {
        let body = json!({ "user_id": "U0001", "features": { "tenure_months": tenure } }).to_string();
        given.push(client.post("/predict", &body).await.json()["probability"].as_f64().unwrap());
        let rows = given.len() as u64;
        while shadow.pairs().unwrap().rows < rows {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // One entity has one pair: the last.
        let pairs = shadow.pairs().unwrap().pairs;
        assert!(pairs.iter().any(|pair| Some(&pair.unheard) == given.last()), "{pairs:?} {given:?}");
    }
    assert!(given[0] > 0.5 && given[1] < 0.5, "{given:?}");
    server.stop().await;
}

/// A server whose canary has this share of the entities.
async fn with_canary(production: Serving, candidate: Serving, share: f64) -> Server {
    let server = Server::start(settings(), Some(production)).await;
    let loaded = Ok(Loaded::new(Arc::new(candidate), "1"));
    let canary = Canary { id: 1, version: "2".into(), share: Share::new(share).unwrap(), loaded };
    server.served.load_full().unwrap().canary.store(Some(Arc::new(canary)));
    server
}

#[tokio::test]
async fn a_request_fits_a_canary_with_other_features() {
    let few = |version: &str| serving_of(&["tenure_months"], version);
    let all = |version: &str| serving(&table(), version, date(2024, 1, 31));
    let sent = json!({ "user_id": "U0001", "features": { "plan": "basic", "tenure_months": 50 } });
    let unknown = json!({ "user_id": "?", "features": { "plan": "basic", "tenure_months": 50 } });
    for (production, candidate, share, version) in
        [(all("1"), few("2"), 1.0, "2"), (few("1"), all("2"), 1e-12, "1")]
    {
        let server = with_canary(production, candidate, share).await;
        let mut client = Client::new(server.address).await;
        // The version that answers has the tenure alone, the other one the plan too.
        for body in [&sent, &unknown] {
            let answer = client.post("/predict", &body.to_string()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let answer = answer.json();
            assert_eq!(answer["model"]["version"], version);
            assert_eq!(answer["features_used"], json!({ "tenure_months": 50 }));
            assert_eq!(answer["features_sent"], json!(["tenure_months"]));
        }
        let neither = client.post("/predict", r#"{"user_id":"U0001","features":{"plans":"basic"}}"#).await;
        assert_eq!(neither.json()["field"], "features.plans", "{}", neither.text());
        server.stop().await;
    }
    let server = with_canary(few("1"), all("2"), 1.0).await;
    let mut client = Client::new(server.address).await;
    let answer = client.post("/predict", &sent.to_string()).await.json();
    assert_eq!(answer["features_sent"], json!(["tenure_months", "plan"]), "{answer}");
    server.stop().await;
}
