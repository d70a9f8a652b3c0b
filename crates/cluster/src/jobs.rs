//! Queries that run, so that a cluster can be told when nobody waits for them.

use std::sync::{Arc, Mutex, PoisonError};

use ballista_core::execution_plans::DistributedQueryExec;
use ballista_core::serde::protobuf::CancelJobParams;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::protobuf::LogicalPlanNode;

/// The plans of queries that have not been answered. DataFusion ends a query that is dropped; a cluster goes on with it.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<Vec<Arc<dyn ExecutionPlan>>>);

impl Jobs {
    pub(crate) fn add(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(plan));
    }

    /// The query has been answered.
    pub(crate) fn remove(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|running| !Arc::ptr_eq(running, plan));
    }

    /// Tells the scheduler at this HOST:PORT to end all that run. A scheduler that does not answer has no jobs to end.
    pub(crate) async fn cancel(&self, address: &str) {
        let plans = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let jobs: Vec<String> = plans.iter().filter_map(job).collect();
        if jobs.is_empty() {
            return;
        }
        let Ok(mut scheduler) = SchedulerGrpcClient::connect(format!("http://{address}")).await else {
            return;
        };
        for job_id in jobs {
            if scheduler.cancel_job(CancelJobParams { job_id }).await.is_err() {
                return;
            }
        }
    }
}

/// The scheduler's name for a query that it has accepted.
fn job(plan: &Arc<dyn ExecutionPlan>) -> Option<String> {
    let query = plan.downcast_ref::<DistributedQueryExec<LogicalPlanNode>>()?;
    query.job_id().map(String::from)
}
