//! A scheduler or an executor of Ballista on loopback, of the libraries that the released programs are made of:
//!
//!     node scheduler PORT
//!     node executor SCHEDULER_PORT PORT GRPC_PORT FOLDER PROCESSORS
//!
//! Losses are noticed within seconds rather than minutes, so that a test can kill an executor and wait for what follows.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;

/// An executor says every second that it is there, and is taken for lost after three.
const HEARTBEAT_S: u64 = 1;
const LOST_AFTER_S: u64 = 3;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["scheduler", port] => scheduler(port.parse()?).await,
        ["executor", scheduler, port, grpc_port, folder, processors] => {
            executor(ExecutorProcessConfig {
                scheduler_host: "127.0.0.1".into(),
                scheduler_port: scheduler.parse()?,
                port: port.parse()?,
                grpc_port: grpc_port.parse()?,
                work_dir: Some((*folder).to_owned()),
                vcores: processors.parse()?,
                external_host: Some("127.0.0.1".into()),
                scheduler_connect_timeout_seconds: 20,
                executor_heartbeat_interval_seconds: HEARTBEAT_S,
                ..ExecutorProcessConfig::default()
            })
            .await
        }
        _ => {
            Err("expected: scheduler PORT, or executor SCHEDULER_PORT PORT GRPC_PORT FOLDER PROCESSORS"
                .into())
        }
    }
}

async fn scheduler(port: u16) -> Result<(), Box<dyn Error>> {
    let config = SchedulerConfig {
        bind_port: port,
        external_host: "127.0.0.1".into(),
        executor_timeout_seconds: LOST_AFTER_S,
        expire_dead_executor_interval_seconds: 1,
        no_executors_grace_period_seconds: LOST_AFTER_S,
        ..SchedulerConfig::default()
    };
    let cluster = BallistaCluster::new_from_config(&config).await?;
    start_server(cluster, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Arc::new(config)).await?;
    Ok(())
}

async fn executor(config: ExecutorProcessConfig) -> Result<(), Box<dyn Error>> {
    Ok(start_executor_process(Arc::new(config)).await?)
}
