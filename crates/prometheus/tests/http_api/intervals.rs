//! What intervals of the configuration mean for queries.

use crate::http::send;
use crate::servers::{Ours, Series};

#[test]
fn subqueries_without_a_step_take_that_of_the_rules() {
    const START_MS: i64 = 1_700_000_000_000;
    let samples = (0..=120).map(|second| (START_MS + second * 1000, 1.0));
    let series = [Series::new(&[("__name__", "m")], samples)];
    for (config, expected) in [
        ("global: {evaluation_interval: 5s}\n", "12"),
        ("global: {evaluation_interval: 7s, scrape_interval: 1s, scrape_timeout: 1s}\n", "9"),
        ("", "1"),
    ] {
        let server = Ours::start(&series, config, "");
        let path = "/api/v1/query?query=count_over_time(m%5B1m%3A%5D)&time=1700000120";
        let found = send(server.address, &format!("GET {path}"), &[], b"").json();
        assert_eq!(found["data"]["result"][0]["value"][1], expected, "{config}: {found}");
    }
}
