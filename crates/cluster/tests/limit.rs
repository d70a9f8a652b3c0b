//! A Ballista scheduler that cannot answer in time is told that nobody waits.

#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::serde::protobuf::job_status::Status;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use streamflow_cluster::{Engine, Error, Target};

/// Ballista's own scheduler, without executors, at this address.
async fn scheduler() -> (BallistaCluster, String) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = SchedulerConfig {
        bind_port: address.port(),
        external_host: "127.0.0.1".into(),
        ..SchedulerConfig::default()
    };
    let cluster = BallistaCluster::new_from_config(&config).await.unwrap();
    tokio::spawn(start_server(cluster.clone(), address, Arc::new(config)));
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (cluster, address.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_waits_for_is_cancelled() {
    let (cluster, address) = scheduler().await;
    let target = Target::Ballista(address.clone());
    let error = Engine::start(&target, Duration::from_secs(2)).await.err().unwrap();
    assert!(matches!(error, Error::TimedOut { .. } | Error::Idle { .. }), "{error}");
    assert!(error.to_string().contains(&address) && error.to_string().contains("within 2 s"), "{error}");

    // The scheduler has a queue of events, of which the cancellation is one.
    let jobs = cluster.job_state();
    let mut found = Vec::new();
    for _ in 0..600 {
        found.clear();
        for job in jobs.get_all_jobs().await.unwrap() {
            found.extend(jobs.get_job_status(&job).await.unwrap().and_then(|status| status.status));
        }
        if matches!(found.as_slice(), [Status::Failed(failed)] if failed.error == "Cancelled") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("expected one job, which is cancelled: {found:?}");
}
