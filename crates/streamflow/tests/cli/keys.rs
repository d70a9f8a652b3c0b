//! Products in stores, by the hour, with a column that comes and one that goes: from the drops to predictions and reports.

use std::fmt::Write as _;
use std::fs;

use crate::project::Project;
use crate::server::Server;

const CONFIGURATION: &str = r#"
[dataset]
entity = ["store", "sku"]
entity_table = "stock"
features = ["price", "shelf", "sold", "promo"]
[dataset.label]
table = "demand"
column = "units"
task = "regression"
[dataset.tables.stock.columns]
store = "string"
sku = "integer"
price = "float"
shelf = { type = "string", until = "2026-01-05T12:00" }
promo = { type = "boolean", since = "2026-01-05T12:00" }
[dataset.tables.sales.columns]
sku = "integer"
store = "string"
sold = "integer"
[dataset.tables.demand.columns]
store = "string"
sku = "integer"
units = "float"
[model]
name = "demand"
"#;

/// The drop of an hour: ten stores, one of them with a space in its name, with thirty products each.
fn drop_of(project: &Project, hour: u32, has_shelf: bool, has_promo: bool) {
    let folder = project.path(&format!("hours/{hour}"));
    fs::create_dir_all(&folder).unwrap();
    let part = |is_there: bool, text: &str| if is_there { format!(",{text}") } else { String::new() };
    let mut stock = format!("store,sku,price{}{}\n", part(has_shelf, "shelf"), part(has_promo, "promo"));
    let (mut sales, mut demand) = ("sku,store,sold\n".to_owned(), "store,sku,units\n".to_owned());
    for store in 0..10 {
        let name = if store == 9 { "s 9".to_owned() } else { format!("s{store}") };
        for sku in 0..30 {
            let noise = (store * 31 + sku * 17 + hour * 7) % 97;
            let (price, sold) = (f64::from(noise % 20) + 0.5, (noise * 13 + sku) % 40);
            let shelf = ["low", "mid", "top"][(noise % 3) as usize];
            let promo = if noise.is_multiple_of(4) { "true" } else { "false" };
            writeln!(stock, "{name},{sku},{price}{}{}", part(has_shelf, shelf), part(has_promo, promo))
                .unwrap();
            writeln!(sales, "{sku},{name},{sold}").unwrap();
            writeln!(demand, "{name},{sku},{}", f64::from(sold) * 1.5 + 30.0 - price).unwrap();
        }
    }
    for (table, text) in [("stock", stock), ("sales", sales), ("demand", demand)] {
        fs::write(folder.join(format!("{table}.csv")), text).unwrap();
    }
}

fn body(answer: &str) -> serde_json::Value {
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn stores_and_skus_by_the_hour_with_columns_that_come_and_go() {
    let project = Project::new();
    project.edit("streamflow.toml", |_| CONFIGURATION.to_owned());
    for (hour, has_shelf, has_promo) in [(11, true, false), (12, true, true), (13, false, true)] {
        drop_of(&project, hour, has_shelf, has_promo);
        let drop = format!("hours/{hour}");
        if hour == 13 {
            let early = project.run(&["ingest", "--as-of", "2026-01-05T11:30", &drop]);
            let told = "column promo: is a column of stock since 2026-01-05T12:00, and the drop is as of 2026-01-05T11:30";
            assert!(early.code == 1 && early.stderr.contains(told), "{}", early.stderr);
        }
        project.ok(&["ingest", "--as-of", &format!("2026-01-05T{hour}:00"), &drop]);
        // Each version learns from its hour: the first from shelf, the second from both, the third from promo.
        project.ok(&["train", "--as-of", &format!("2026-01-05T{hour}:00")]);
    }
    project.ok(&["monitor", "--reference", "2026-01-05T11:00", "--current", "2026-01-05T13:00"]);
    let name = "drift_2026-01-05T1100_vs_2026-01-05T1300";
    let report = fs::read_to_string(project.path(&format!("reports/drift/{name}.json"))).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        report["not_tested"],
        serde_json::json!([
            { "column": "shelf", "reason": "only in 2026-01-05T11:00", "counted": true },
            { "column": "promo", "reason": "only in 2026-01-05T13:00", "counted": false },
        ])
    );
    // The first version needs a column that the newest hour lacks.
    let lacking = project.run(&["evaluate", "--as-of", "2026-01-05T13:00", "--model", "1"]);
    let told = "feature \"shelf\" is not among the given columns";
    assert!(lacking.code == 1 && lacking.stderr.contains(told), "{}", lacking.stderr);
    let history = project.run(&["evaluate", "--history", "--model", "1"]);
    assert!(history.code == 0 && history.stderr.contains("left out: cannot evaluate on 2026-01-05T13:00"));
    assert!(history.stdout.contains("2026-01-05T12:00") && history.stdout.contains("SNAPSHOT"));

    let serve = || Server::start(&project, &["serve", "--listen", "127.0.0.1:0"], "listening on http://");
    let server = serve();
    assert!(server.predict(r#"{"store":"s1","sku":2}"#).contains(" 503 "), "version 1 is in production");
    project.ok(&["models", "promote", "3"]);
    server.wait_for(" 200 ", || server.predict(r#"{"store":"s1","sku":2}"#));
    let answer = body(&server.predict(r#"{"sku":2,"store":"s 9"}"#));
    assert_eq!((&answer["store"], &answer["sku"]), (&"s 9".into(), &2.into()));
    assert_eq!(answer["as_of"], "2026-01-05T13:00");
    assert!(answer["features_used"]["promo"].is_boolean() && answer["value"].is_number(), "{answer}");

    let receipt = project.json(&["forget", "sku=2", "store=s 9", "--reason", "closed"]);
    assert_eq!(receipt["found"]["snapshots"].as_array().unwrap().len(), 9, "{receipt}");
    server.wait_for(" 404 ", || server.predict(r#"{"store":"s 9","sku":2}"#));
    let gone = body(&server.predict(r#"{"store":"s 9","sku":2}"#));
    assert_eq!(gone["error"], "Missing features for store=\"s 9\" sku=2");
    assert!(server.predict(r#"{"store":"s 9","sku":3}"#).contains(" 200 "));
    server.stop("-TERM");
    assert_eq!(project.run(&["data", "verify"]).code, 0);
    let wrong = project.run(&["forget", "store=s1"]);
    assert!(wrong.code == 1 && wrong.stderr.contains("because of sku: it is not given"), "{}", wrong.stderr);
}
