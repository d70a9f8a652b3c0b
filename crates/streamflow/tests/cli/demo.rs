//! `streamflow demo`: everything from one command, and again from what is there.

use crate::project::Project;
use crate::server::Server;

fn start(project: &Project) -> Server {
    Server::start(
        project,
        &["demo", "demo", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--rate", "100"],
        "listening on http://",
    )
}

#[test]
fn serves_reports_and_is_reused_by_a_second_run() {
    let project = Project::new();
    let demo = start(&project);
    assert!(demo.printed("train     churn version 1"), "{:#?}", demo.lines);
    // The second month: drift is green, the model is wrong, a better one takes over.
    assert!(demo.printed("-> NO_ACTION drift_share="), "{:#?}", demo.lines);
    assert!(demo.printed("monthly   2024-02-29 PROMOTED: version 2"), "{:#?}", demo.lines);
    assert!(
        demo.printed("-> RETRAINING_TRIGGERED drift_share="),
        "the third month drifts: {:#?}",
        demo.lines
    );
    demo.wait_for_metric("api_requests_total ", 50.0);
    // One caller in fifty is unknown.
    demo.wait_for_metric("api_responses_total{code=\"404\"}", 1.0);
    demo.stop("-INT");
    assert_eq!(project.files("demo/reports/drift").len(), 6);

    let before = project.files("demo/data/snapshots");
    let again = start(&project);
    assert!(again.printed("unchanged") && again.printed("is there already"), "{:#?}", again.lines);
    again.wait_for_metric("api_requests_total ", 1.0);
    again.stop("-INT");
    assert_eq!(project.files("demo/data/snapshots"), before);
}
