//! Batches that are Arrow or Parquet, in and out.

use std::num::NonZeroUsize;

use streamflow::config::ApiConfig;
use streamflow_dataset::{OutputColumn, OutputFormat, OutputType, TableRows, TableWriter};

use super::client::{Client, Response};
use super::fixture::{Server, serving, table_of_stores, user_id};
use super::settings;

const ARROW: &str = "application/vnd.apache.arrow.file";
const PARQUET: &str = "application/vnd.apache.parquet";

fn bytes(format: OutputFormat, hours: &[f64], plan_name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    let columns = [("id", OutputType::Integer), (plan_name, OutputType::Text), ("hours", OutputType::Double)];
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind));
    let mut writer = TableWriter::create(&path, format, &columns).unwrap();
    let plans = hours.iter().map(|_| Some("yearly".to_owned())).collect();
    let ids = OutputColumn::Integer(vec![7; hours.len()]);
    writer.write(vec![ids, OutputColumn::Text(plans), OutputColumn::Double(hours.to_vec())]).unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// A table with two columns of one name.
fn twice(format: OutputFormat) -> Vec<u8> {
    bytes(format, &[1.0], "hours")
}

/// Parquet with these plans.
fn texts(plans: &[String]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    let columns = [("plan", OutputType::Text), ("hours", OutputType::Double)];
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind));
    let mut writer = TableWriter::create(&path, OutputFormat::Parquet, &columns).unwrap();
    let cells = plans.iter().cloned().map(Some).collect();
    writer.write(vec![OutputColumn::Text(cells), OutputColumn::Double(vec![1.0; plans.len()])]).unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

async fn ask(client: &mut Client, path: &str, content_type: &str, body: &[u8]) -> Response {
    client.send(&format!("POST {path}"), &[("Content-Type", content_type)], body).await
}

/// The columns of an answer as texts.
fn read(answer: &Response) -> Vec<(String, Vec<String>)> {
    let rows = TableRows::of_bytes("the answer", answer.body.clone().into(), u64::MAX).unwrap();
    let mut columns: Vec<(String, Vec<String>)> =
        rows.header().iter().map(|name| (name.clone(), Vec::new())).collect();
    let places: Vec<usize> = (0..columns.len()).collect();
    rows.read(&places, |batch, _| {
        for (place, (_, cells)) in columns.iter_mut().enumerate() {
            cells.extend((0..batch.rows()).map(|row| batch.cell(place, row).text().unwrap_or_default()));
        }
        Ok::<_, streamflow_dataset::Error>(())
    })
    .unwrap();
    columns
}

#[tokio::test]
async fn a_table_is_answered_in_its_format() {
    let server = Server::of_files(settings(), &["churn", "price"]).await;
    let mut client = Client::new(server.address).await;
    for (format, content_type) in [(OutputFormat::Arrow, ARROW), (OutputFormat::Parquet, PARQUET)] {
        let body = bytes(format, &[12.0, 45.5], "plan");
        let answer = ask(&mut client, "/predict/price/batch", content_type, &body).await;
        assert_eq!(answer.status, 200, "{content_type}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert_eq!(read(&answer)[0], ("value".to_owned(), vec!["1".to_owned(), "-1".to_owned()]));
        let answer = ask(&mut client, "/predict/churn/batch", content_type, &body).await;
        let names: Vec<String> = read(&answer).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["probability", "margin", "label"], "{content_type}");
    }
    let metrics = client.get("/metrics").await;
    for line in ["prediction_value_count 4.0", "predictions_total{prediction=\"1\"} 2.0"] {
        assert!(metrics.text().contains(line), "{line} in {}", metrics.text());
    }
    server.stop().await;
}

#[tokio::test]
async fn a_table_without_rows_has_an_answer_with_its_columns() {
    let server = Server::of_files(settings(), &["churn"]).await;
    let mut client = Client::new(server.address).await;
    for (format, content_type) in [(OutputFormat::Arrow, ARROW), (OutputFormat::Parquet, PARQUET)] {
        let answer = ask(&mut client, "/predict/batch", content_type, &bytes(format, &[], "plan")).await;
        assert_eq!(answer.status, 200, "{content_type}: {}", String::from_utf8_lossy(&answer.body));
        let expected = ["probability", "margin", "label"].map(|name| (name.to_owned(), Vec::new()));
        assert_eq!(read(&answer), expected, "{content_type}");
        let wrong = ask(&mut client, "/predict/batch", content_type, &bytes(format, &[], "plans")).await;
        assert_eq!(wrong.status, 400, "a feature is missing, whatever the rows");
    }
    server.stop().await;
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    let answer = ask(&mut client, "/predict/batch", PARQUET, &table_of(vec![users(&[])])).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert!(read(&answer).iter().any(|(name, cells)| name == "probability" && cells.is_empty()));
    server.stop().await;
}

#[tokio::test]
async fn contributions_of_a_table_are_refused_in_a_sentence() {
    let server = Server::of_files(settings(), &["churn"]).await;
    let mut client = Client::new(server.address).await;
    let body = bytes(OutputFormat::Parquet, &[1.0], "plan");
    let answer = ask(&mut client, "/predict/batch?explain=true", PARQUET, &body).await;
    assert_eq!(answer.status, 422, "{}", String::from_utf8_lossy(&answer.body));
    assert!(answer.text().contains("or send the rows as JSON"), "{}", answer.text());
    assert_eq!(ask(&mut client, "/predict/batch?explain=false", PARQUET, &body).await.status, 200);
    assert_eq!(ask(&mut client, "/predict/batch?explain=maybe", PARQUET, &body).await.status, 422);
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_named() {
    let batch_body_limit_bytes = NonZeroUsize::new(1 << 16).unwrap();
    let server = Server::of_files(ApiConfig { batch_body_limit_bytes, ..settings() }, &["churn"]).await;
    let mut client = Client::new(server.address).await;
    let sound = bytes(OutputFormat::Parquet, &[1.0], "plan");
    // Packs to a thousandth: 100 rows of 100 kB each.
    let bomb = texts(&vec!["x".repeat(100_000); 100]);
    assert!(bomb.len() < 1 << 16, "{} bytes", bomb.len());
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (PARQUET, Vec::new(), 400, "the body: is neither Parquet nor Arrow"),
        (PARQUET, b"hours,plan\n1,yearly\n".to_vec(), 400, "the body: is neither Parquet nor Arrow"),
        (PARQUET, sound[..sound.len() - 20].to_vec(), 400, "the body:"),
        (PARQUET, bytes(OutputFormat::Parquet, &[1.0; 101], "plan"), 400, "101 rows are too many"),
        (PARQUET, bytes(OutputFormat::Parquet, &[1.0], "plans"), 400, "feature \"plan\" is missing"),
        (PARQUET, twice(OutputFormat::Parquet), 400, "several columns with the name \"hours\""),
        (ARROW, twice(OutputFormat::Arrow), 400, "several columns with the name \"hours\""),
        (PARQUET, bomb, 400, "its values take more memory than a table of its size may"),
        ("text/csv", sound.clone(), 415, "Content-Type must be application/json"),
    ];
    for (content_type, body, status, sentence) in cases {
        let answer = ask(&mut client, "/predict/batch", content_type, &body).await;
        assert_eq!(answer.status, status, "{sentence}: {}", answer.text());
        assert!(answer.json()["error"].as_str().unwrap().contains(sentence), "{}", answer.text());
    }
    let metrics = client.get("/metrics").await;
    assert!(metrics.text().contains("predictions_total{prediction=\"1\"} 0.0"), "{}", metrics.text());
    server.stop().await;
}

#[tokio::test]
async fn two_columns_of_one_name_are_refused_at_invocations_too() {
    let server = Server::of_files(settings(), &["churn"]).await;
    let mut client = Client::new(server.address).await;
    let split =
        br#"{"dataframe_split": {"columns": ["hours", "hours", "plan"], "data": [[1, 45, "yearly"]]}}"#;
    for (content_type, body) in
        [("text/csv", &b"hours,hours,plan\n1,45,yearly\n"[..]), ("application/json", split)]
    {
        let answer = ask(&mut client, "/invocations", content_type, body).await;
        assert_eq!(answer.status, 400, "{content_type}: {}", answer.text());
        assert!(answer.text().contains("several columns with the name"), "{content_type}: {}", answer.text());
    }
    server.stop().await;
}

#[tokio::test]
async fn a_version_is_asked_as_a_file_is() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    let body = bytes(OutputFormat::Arrow, &[12.0], "plan");
    let answer = ask(&mut client, "/predict/batch", ARROW, &body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("tenure_months"), "{}", answer.text());
    assert!(answer.text().contains("or the entity as user_id"), "{}", answer.text());
    let twice = table_of(vec![users(&[&user_id(0)]), users(&[&user_id(1)])]);
    let answer = ask(&mut client, "/predict/batch", PARQUET, &twice).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("several columns with the name"), "{}", answer.text());
    server.stop().await;
}

/// A table of these columns.
fn table_of(columns: Vec<(&str, OutputType, OutputColumn)>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    let types: Vec<_> = columns.iter().map(|(name, kind, _)| ((*name).to_owned(), *kind)).collect();
    let mut writer = TableWriter::create(&path, OutputFormat::Parquet, &types).unwrap();
    writer.write(columns.into_iter().map(|(.., column)| column).collect()).unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn users(rows: &[&str]) -> (&'static str, OutputType, OutputColumn) {
    let cells = rows.iter().map(|user| Some((*user).to_owned())).collect();
    ("user_id", OutputType::Text, OutputColumn::Text(cells))
}

/// The probabilities of an answer.
fn probabilities(answer: &Response) -> Vec<f64> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (name, cells) = read(answer).swap_remove(0);
    assert_eq!(name, "probability");
    cells.iter().map(|cell| cell.parse().unwrap()).collect()
}

#[tokio::test]
async fn rows_that_name_entities_are_looked_up() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    // The user in the middle is known without a feature.
    let known = [user_id(0), user_id(3), user_id(9)];
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let body = serde_json::json!({ "entities": known }).to_string();
    let json = client.send("POST /predict/batch", &[("Content-Type", "application/json")], body.as_bytes());
    let json = json.await.json();
    let expected: Vec<f64> = json["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["probability"].as_f64().unwrap())
        .collect();
    let answer = ask(&mut client, "/predict/batch", PARQUET, &table_of(vec![users(&known)])).await;
    assert_eq!(probabilities(&answer), expected);

    // A column of the table goes before what is stored: U0000 has a tenure of 0 there.
    let tenures = OutputColumn::Double(vec![50.0, 50.0, 50.0]);
    let body = table_of(vec![("tenure_months", OutputType::Double, tenures), users(&known)]);
    let answer = ask(&mut client, "/predict/churn/batch", PARQUET, &body).await;
    let moved = probabilities(&answer);
    assert!(expected[0] > 0.5 && moved[0] < 0.5, "{expected:?} {moved:?}");
    let metrics = client.get("/metrics").await;
    assert!(metrics.text().contains("prediction_score_count 9.0"), "{}", metrics.text());

    let numbers = ("user_id", OutputType::Integer, OutputColumn::Integer(vec![7]));
    for (body, status, sentence) in [
        (table_of(vec![users(&["U0000", "nobody"])]), 404, "row 2: Missing features for user_id=nobody"),
        (table_of(vec![numbers]), 400, "row 1: user_id: expected a string, got an integer"),
    ] {
        let answer = ask(&mut client, "/predict/batch", PARQUET, &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.json()["error"].as_str().unwrap().contains(sentence), "{}", answer.text());
    }
    let tenures = ("tenure_months", OutputType::Double, OutputColumn::Double(vec![50.0]));
    let answer =
        ask(&mut client, "/predict/batch", PARQUET, &table_of(vec![users(&["nobody"]), tenures])).await;
    let lacking = serde_json::json!(["monthly_fee", "auto_renew", "plan"]);
    assert_eq!((answer.status, &answer.json()["missing_features"]), (404, &lacking), "{}", answer.text());
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_two_columns_is_looked_up() {
    let serving = serving(&table_of_stores(), "1", jiff::civil::date(2024, 1, 31));
    let server = Server::start(settings(), Some(serving)).await;
    let mut client = Client::new(server.address).await;
    let stores = OutputColumn::Text(vec![Some("s0".to_owned()), Some("s1".to_owned())]);
    let skus = OutputColumn::Integer(vec![0, 4]);
    let columns = vec![("sku", OutputType::Integer, skus), ("store", OutputType::Text, stores)];
    let found = probabilities(&ask(&mut client, "/predict/batch", PARQUET, &table_of(columns)).await);
    let body = r#"{"store": "s1", "sku": 4}"#;
    let one = client.send("POST /predict", &[("Content-Type", "application/json")], body.as_bytes()).await;
    assert_eq!(one.json()["probability"].as_f64(), Some(found[1]));
    let stores = OutputColumn::Text(vec![Some("s0".to_owned())]);
    let half = table_of(vec![("store", OutputType::Text, stores)]);
    let answer = ask(&mut client, "/predict/batch", PARQUET, &half).await;
    assert!(
        answer.status == 400 && answer.text().contains("or the entity as store, sku"),
        "{}",
        answer.text()
    );
    server.stop().await;
}
