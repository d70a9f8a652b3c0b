//! The floor that bench/predict.py measures `streamflow serve` against: `bare_axum ADDRESS FILE` reads the body of
//! every POST /predict and answers the bytes of FILE as JSON. No parsing, no features, no model, no metrics.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (address, file) = arguments.next().zip(arguments.next()).context("usage: bare_axum ADDRESS FILE")?;
    let address: SocketAddr = address.parse().with_context(|| format!("{address} is not ADDRESS:PORT"))?;
    let answer = Bytes::from(std::fs::read(&file).with_context(|| format!("cannot read {file}"))?);
    let predict = async move |_body: Bytes| ([(CONTENT_TYPE, "application/json")], answer.clone());
    let router = Router::new().route("/predict", post(predict)).route("/ready", get("ready"));
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        Ok(axum::serve(listener, router).await?)
    })
}
