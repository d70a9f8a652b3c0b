//! Batches that are Arrow or Parquet, in and out.

use std::num::NonZeroUsize;

use streamflow::config::ApiConfig;
use streamflow_dataset::{OutputColumn, OutputFormat, OutputType, TableRows, TableWriter};

use super::client::{Client, Response};
use super::fixture::Server;
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
        (PARQUET, bytes(OutputFormat::Parquet, &[], "plan"), 400, "the body has no rows"),
        (PARQUET, bytes(OutputFormat::Parquet, &[1.0; 101], "plan"), 400, "101 rows are too many"),
        (PARQUET, bytes(OutputFormat::Parquet, &[1.0], "plans"), 400, "feature \"plan\" is missing"),
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
async fn a_version_is_asked_as_a_file_is() {
    let server = Server::loaded(settings()).await;
    let mut client = Client::new(server.address).await;
    let body = bytes(OutputFormat::Arrow, &[12.0], "plan");
    let answer = ask(&mut client, "/predict/batch", ARROW, &body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("tenure_months"), "{}", answer.text());
    server.stop().await;
}
