//! Samples that are given up by what `queue_config` says.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_429_is_final_where_nothing_else_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[429]).await;
    let db = open(dir.path());
    write(&db, "a", 1, 1..3);
    let endpoint = Endpoint { retry_on_http_429: false, ..endpoint(&url) };
    let sender = Running::start(&db, dir.path(), endpoint);
    sender.wait("the first are refused", |status| status.samples_failed == 2).await;
    write(&db, "a", 1, 3..5);
    sender.wait("the next are sent", |status| status.samples_sent == 2).await;
    assert_eq!((receiver.count(), sender.status().samples_retried), (2, 0));
    sender.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_that_are_too_old_are_left_out_before_the_first_try_and_between_tries() {
    let dir = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(&[503; 100_000]).await;
    let db = open(dir.path());
    let now = crate::now_ms();
    write(&db, "old", 1, now - 500_000..now - 499_990);
    let limit = Some(Duration::from_secs(1));
    let sender = Running::start(&db, dir.path(), Endpoint { sample_age_limit: limit, ..endpoint(&url) });
    let mut written = 10;
    eventually("one is tried in vain", async || {
        let now = crate::now_ms();
        write(&db, "young", 1, now..now + 1);
        written += 1;
        if sender.status().samples_retried > 0 { Ok(()) } else { Err(format!("{:?}", sender.status())) }
    })
    .await;
    sender.wait("all are too old", |status| status.samples_too_old == written).await;
    let status = sender.status();
    assert_eq!((status.samples_failed, status.samples_pending, receiver.count()), (0, 0, 0));
    sender.stop().await;
}
