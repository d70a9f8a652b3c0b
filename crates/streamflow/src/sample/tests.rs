//! What the tables promise, read back from the files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;

/// One month's tables joined on the user, one map of columns a user.
type Users = HashMap<String, BTreeMap<String, String>>;

fn settings(months: u32, rows: u64, seed: u64) -> SampleSettings {
    SampleSettings { months, rows, seed, ..SampleSettings::default() }
}

fn write_quietly(out: &Path, settings: &SampleSettings) -> Result<Vec<PathBuf>, Error> {
    write(out, settings, &mut |_, _| ())
}

fn sample(settings: &SampleSettings) -> (TempDir, Vec<PathBuf>) {
    let out = tempfile::tempdir().unwrap();
    let folders = write_quietly(out.path(), settings).unwrap();
    (out, folders)
}

/// SHA-256 of every file, by `folder/file`.
fn digests(folders: &[PathBuf]) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for folder in folders {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{}/{}", name_of(folder), name_of(&path));
            digests.insert(name, format!("{:x}", Sha256::digest(fs::read(path).unwrap())));
        }
    }
    digests
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn read_month(folder: &Path) -> Users {
    let mut users = Users::new();
    for table in &tables::TABLES {
        let text = fs::read_to_string(folder.join(format!("{}.csv", table.name))).unwrap();
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields.len(), header.len(), "{}: {line}", table.name);
            let user = users.entry(fields[0].to_owned()).or_default();
            user.extend(header.iter().zip(&fields).map(|(h, f)| ((*h).to_owned(), (*f).to_owned())));
        }
    }
    users
}

/// The values of `column` over the users, with True and False as 1 and 0.
fn column(users: &Users, column: &str) -> Vec<f64> {
    let mut ids: Vec<_> = users.keys().collect();
    ids.sort();
    let number = |text: &str| match text {
        "True" => 1.0,
        "False" => 0.0,
        number => number.parse().unwrap(),
    };
    ids.iter().map(|id| number(&users[*id][column])).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn standard_deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt() / (values.len() as f64).sqrt()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let products: Vec<f64> = a.iter().zip(b).map(|(a, b)| a * b).collect();
    (mean(&products) - mean(a) * mean(b)) / (standard_deviation(a) * standard_deviation(b))
}

/// Share of churn among the users for whom `column` satisfies `condition`.
fn churn_rate(users: &Users, column: &str, condition: impl Fn(&str) -> bool) -> f64 {
    let labels: Vec<f64> = users
        .values()
        .filter(|user| condition(&user[column]))
        .map(|user| f64::from(u8::from(user["churn_label"] == "True")))
        .collect();
    mean(&labels)
}

#[test]
fn same_seed_same_bytes_on_every_machine() {
    let (_a, first) = sample(&settings(2, 300, 42));
    let (_b, second) = sample(&settings(2, 300, 42));
    assert_eq!(digests(&first), digests(&second));
    let mut all = Sha256::new();
    for (name, digest) in digests(&first) {
        all.update(format!("{name} {digest}\n"));
    }
    // Changing the simulation changes the samples that users hold: do it knowingly.
    assert_eq!(
        format!("{:x}", all.finalize()),
        "855f6c9291287b40ac4cac6753e30bbfc398b1210ed49ff5e12e9e6db1ffd081"
    );
}

#[test]
fn other_labels_leave_the_other_tables_alone() {
    let of = |task| digests(&sample(&SampleSettings { task, ..settings(2, 300, 42) }).1);
    let churn = of(LabelTask::Binary);
    for task in [LabelTask::Multiclass, LabelTask::Regression] {
        let other = of(task);
        for (name, digest) in &churn {
            assert_eq!(digest == &other[name], !name.ends_with("labels.csv"), "{task:?} {name}");
        }
    }
}

#[test]
fn other_labels_hang_on_the_columns_and_turn_with_the_relation() {
    let users = |task, relation_month| {
        let settings = SampleSettings { task, relation_month, drift_month: Some(2), ..settings(2, 4000, 7) };
        read_month(&sample(&settings).1[0])
    };
    let with_watch = |relation| {
        let users = users(LabelTask::Regression, relation);
        correlation(&column(&users, "spend_next_30d"), &column(&users, "watch_hours_30d"))
    };
    assert!(
        with_watch(None) > 0.5 && with_watch(Some(1)) < 0.1,
        "{} {}",
        with_watch(None),
        with_watch(Some(1))
    );
    let plans = users(LabelTask::Multiclass, None);
    for plan in ["basic", "plus", "premium"] {
        let share = plans.values().filter(|user| user["next_plan"] == plan).count() as f64 / 4000.0;
        assert!((0.15..0.6).contains(&share), "{plan}: {share}");
    }
}

#[test]
fn seeds_differ_in_every_file() {
    let (_a, first) = sample(&settings(1, 100, 1));
    let (_b, second) = sample(&settings(1, 100, 2));
    let (first, second) = (digests(&first), digests(&second));
    for (name, digest) in &first {
        assert_ne!(digest, &second[name], "{name}");
    }
}

#[test]
fn a_larger_or_longer_sample_begins_with_the_smaller_one() {
    let with = |months, rows| SampleSettings { drift_month: Some(2), ..settings(months, rows, 5) };
    let (_a, small) = sample(&with(2, 50));
    let (_b, large) = sample(&with(4, 80));
    for folder in &small {
        let longer = large.iter().find(|other| name_of(other) == name_of(folder)).unwrap();
        for table in &tables::TABLES {
            let file = format!("{}.csv", table.name);
            let small = fs::read_to_string(folder.join(&file)).unwrap();
            let large = fs::read_to_string(longer.join(&file)).unwrap();
            assert!(large.starts_with(&small) && large.len() > small.len(), "{file}");
        }
    }
}

#[test]
fn headers_and_spellings_are_those_of_the_course() {
    let shared = std::env::var_os("STREAMFLOW_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let course = shared.join("data/course/month_000");
    if !course.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", course.display());
        eprintln!("SKIPPED headers_and_spellings_are_those_of_the_course: no {}", course.display());
        return;
    }
    let (_out, folders) = sample(&settings(1, 500, 42));
    let values = |folder: &Path, table: &str, column: usize| -> HashSet<String> {
        let text = fs::read_to_string(folder.join(table)).unwrap();
        text.lines().skip(1).map(|line| line.split(',').nth(column).unwrap().to_owned()).collect()
    };
    for table in &tables::TABLES {
        let file = format!("{}.csv", table.name);
        let theirs = fs::read_to_string(course.join(&file)).unwrap();
        assert_eq!(theirs.lines().next(), Some(table.header));
        for (index, name) in table.header.split(',').enumerate() {
            let theirs = values(&course, &file, index);
            // Columns of words and flags; numbers, dates and ids are judged by their distributions.
            if theirs.len() <= 3 && theirs.iter().all(|value| value.parse::<f64>().is_err()) {
                assert_eq!(values(&folders[0], &file, index), theirs, "{name}");
            }
        }
    }
    let ours = fs::read_dir(&folders[0]).unwrap().count();
    assert_eq!(ours, fs::read_dir(&course).unwrap().count());
}

#[test]
fn months_are_named_by_their_last_day() {
    let check = |start: Date, expected: &[&str]| {
        let months = u32::try_from(expected.len()).unwrap();
        let (_out, folders) = sample(&SampleSettings { start, ..settings(months, 1, 0) });
        let names: Vec<&str> = folders.iter().map(|folder| name_of(folder)).collect();
        assert_eq!(names, expected);
        for (folder, name) in folders.iter().zip(expected) {
            assert_eq!(as_of(folder).map(|date| format!("month_{date}")).as_deref(), Some(*name));
        }
    };
    check(date(2024, 1, 31), &["month_2024-01-31", "month_2024-02-29", "month_2024-03-31"]);
    check(date(2023, 11, 5), &["month_2023-11-30", "month_2023-12-31", "month_2024-01-31"]);
    check(date(1970, 1, 1), &["month_1970-01-31"]);
    check(date(2200, 12, 31), &["month_2200-12-31", "month_2201-01-31"]);
}

#[test]
fn other_folders_have_no_date() {
    for folder in ["", "/", "month_", "month_2024-02-30", "january", "x_2024-01-31"] {
        assert_eq!(as_of(Path::new(folder)), None, "{folder:?}");
    }
}

#[test]
fn users_stay_leave_and_arrive() {
    let (_out, folders) = sample(&settings(4, 4000, 9));
    let months: Vec<Users> = folders.iter().map(|folder| read_month(folder)).collect();
    let mut left = HashSet::new();
    for (earlier, later) in months.iter().zip(&months[1..]) {
        assert_eq!((earlier.len(), later.len()), (4000, 4000), "ids are unique");
        for (id, before) in earlier {
            let Some(after) = later.get(id) else {
                assert_eq!(before["churn_label"], "True", "{id} left without churning");
                left.insert(id.clone());
                continue;
            };
            for column in ["signup_date", "user_gender", "contract_type", "paperless_billing"] {
                // A contract grows longer, never shorter; all else is for life.
                assert!(before[column] == after[column] || column == "contract_type", "{id} {column}");
            }
            let tenure = |user: &BTreeMap<String, String>| user["months_active"].parse::<u32>().unwrap();
            assert_eq!(tenure(after), tenure(before) + 1, "{id}");
        }
        for (id, user) in later {
            assert!(!left.contains(id), "{id} came back");
            assert!(earlier.contains_key(id) || user["months_active"] == "1", "{id} arrived late");
        }
    }
    let left = left.len() as f64 / (3.0 * 4000.0);
    assert!((0.03..0.07).contains(&left), "{left} leave a month");
}

#[test]
fn only_flags_without_internet_and_a_few_totals_are_missing() {
    let (_out, folders) = sample(&settings(1, 7043, 42));
    let users = read_month(&folders[0]);
    let (mut without_internet, mut open_invoices) = (0, 0);
    for (id, user) in &users {
        let no_internet = user["net_service"] == "No";
        without_internet += u32::from(no_internet);
        for (column, value) in user {
            let may_be_missing = match column.as_str() {
                "plan_stream_tv" | "plan_stream_movies" => {
                    assert_eq!(value.is_empty(), no_internet, "{id} {column}");
                    no_internet
                }
                "total_paid" => {
                    open_invoices += u32::from(value.is_empty());
                    user["months_active"] == "1"
                }
                _ => false,
            };
            assert!(!value.is_empty() || may_be_missing, "{id} {column}");
        }
    }
    let share = f64::from(without_internet) / users.len() as f64;
    assert!((0.19..0.25).contains(&share), "{share} have no internet service");
    assert!((1..60).contains(&open_invoices), "{open_invoices} totals are missing");
}

#[test]
fn small_samples_miss_at_most_one_total_in_a_hundred() {
    for seed in 0..40 {
        let (_out, folders) = sample(&settings(1, 60 + 5 * seed, seed));
        let users = read_month(&folders[0]);
        let missing = users.values().filter(|user| user["total_paid"].is_empty()).count();
        assert!(missing * 100 <= users.len(), "seed {seed}: {missing} of {}", users.len());
    }
}

#[test]
fn columns_hang_together_and_explain_churn() {
    let (_out, folders) = sample(&settings(1, 20_000, 42));
    let users = read_month(&folders[0]);
    let users: Users = users.into_iter().filter(|(_, user)| !user["total_paid"].is_empty()).collect();
    let check = |a: &str, b: &str, least: f64, most: f64| {
        let found = correlation(&column(&users, a), &column(&users, b));
        assert!((least..most).contains(&found), "correlation of {a} and {b}: {found}");
    };
    check("months_active", "total_paid", 0.7, 0.9);
    check("monthly_fee", "watch_hours_30d", 0.5, 0.8);
    check("watch_hours_30d", "avg_session_mins_7d", 0.4, 0.8);
    check("rebuffer_events_7d", "support_tickets_90d", 0.05, 0.3);
    check("churn_label", "months_active", -0.5, -0.25);
    check("churn_label", "monthly_fee", 0.1, 0.3);
    check("churn_label", "rebuffer_events_7d", 0.1, 0.3);
    check("churn_label", "failed_payments_90d", 0.05, 0.2);
    check("churn_label", "support_tickets_90d", 0.05, 0.25);
    check("user_is_senior", "has_dependents", -0.3, -0.1);
    let all = churn_rate(&users, "churn_label", |_| true);
    assert!((0.22..0.29).contains(&all), "churn rate {all}");
    let monthly = churn_rate(&users, "contract_type", |value| value == "Month-to-month");
    let two_years = churn_rate(&users, "contract_type", |value| value == "Two year");
    assert!(monthly > 6.0 * two_years, "{monthly} and {two_years}");
}

#[test]
fn the_drift_month_and_those_after_it_differ() {
    let (_out, folders) = sample(&SampleSettings { drift_month: Some(3), ..settings(4, 7043, 42) });
    let months: Vec<Users> = folders.iter().map(|folder| read_month(folder)).collect();
    let shift = |name: &str, month: usize| {
        let (before, after) = (column(&months[0], name), column(&months[month], name));
        (mean(&after) - mean(&before)) / standard_deviation(&before)
    };
    // Column, least and most shift of the mean in standard deviations from the drift month on.
    let drifting = [
        ("rebuffer_events_7d", 0.6, 1.1),
        ("watch_hours_30d", -1.0, -0.4),
        ("avg_session_mins_7d", -0.9, -0.3),
        ("skips_7d", 0.4, 0.9),
        ("support_tickets_90d", 0.2, 0.6),
        ("ticket_avg_resolution_hrs_90d", 0.4, 0.8),
    ];
    for (name, least, most) in drifting {
        assert!(shift(name, 1).abs() < 0.1, "{name} drifts early");
        for month in [2, 3] {
            let found = shift(name, month);
            assert!((least..most).contains(&found), "{name} in month {month}: {found}");
        }
    }
    let fiber = |month: usize| {
        let users = months[month].values();
        users.filter(|user| user["net_service"] == "Fiber optic").count() as f64 / 7043.0
    };
    assert!((fiber(1) - fiber(0)).abs() < 0.02 && fiber(2) > fiber(0) + 0.12);
}

#[test]
fn in_the_relation_month_other_users_churn_and_the_columns_stay() {
    let plain = SampleSettings { drift_month: Some(3), ..settings(3, 7043, 42) };
    let (_a, ordinary) = sample(&plain);
    let (_b, turned) = sample(&SampleSettings { relation_month: Some(2), ..plain });
    assert_eq!(digests(&ordinary[..1]), digests(&turned[..1]), "the month before is the same");
    let month = read_month(&turned[1]);
    let share = |contract: &str| {
        let users: Vec<_> = month.values().filter(|user| user["contract_type"] == contract).collect();
        users.iter().filter(|user| user["churn_label"] == "True").count() as f64 / users.len() as f64
    };
    assert!(
        share("Two year") > 2.0 * share("Month-to-month"),
        "{} {}",
        share("Two year"),
        share("Month-to-month")
    );
    let before = read_month(&turned[0]);
    for name in ["monthly_fee", "watch_hours_30d", "months_active"] {
        let (old, new) = (column(&before, name), column(&month, name));
        let shift = (mean(&new) - mean(&old)) / standard_deviation(&old);
        assert!(shift.abs() < 0.1, "{name}: {shift}");
    }
}

#[test]
fn a_single_month_does_not_drift() {
    let (_a, single) = sample(&settings(1, 40, 3));
    let (_b, several) = sample(&settings(2, 40, 3));
    assert_eq!(digests(&single), digests(&several[..1]));
}

#[test]
fn refuses_settings_out_of_range() {
    let check = |settings: SampleSettings, expected: &str| {
        let out = tempfile::tempdir().unwrap();
        let error = write_quietly(&out.path().join("new"), &settings).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "nothing is written");
    };
    check(settings(0, 1, 0), "months is 0, expected 1 to 120");
    check(settings(121, 1, 0), "months is 121, expected 1 to 120");
    check(settings(1, 0, 0), "rows is 0, expected 1 to 9000000");
    check(settings(1, u64::MAX, 0), "rows is 18446744073709551615, expected 1 to 9000000");
    let drifting = |drift_month| SampleSettings { drift_month: Some(drift_month), ..settings(3, 1, 0) };
    let turning = SampleSettings { relation_month: Some(4), ..settings(3, 1, 0) };
    check(turning, "relation-month is 4, expected 1 to 3, the number of months");
    check(drifting(0), "drift-month is 0, expected 1 to 3, the number of months");
    check(drifting(4), "drift-month is 4, expected 1 to 3, the number of months");
    let from = |start| SampleSettings { start, ..settings(1, 1, 0) };
    check(from(Date::MIN), "start is -009999-01-01, expected a day in the years 1970 to 2200");
    check(from(Date::MAX), "start is 9999-12-31, expected a day in the years 1970 to 2200");
}

#[test]
fn keeps_what_is_there() {
    let wanted = settings(2, 20, 1);
    let (out, folders) = sample(&wanted);
    let before = digests(&folders);
    assert_eq!(write_quietly(out.path(), &wanted).unwrap(), folders, "the same again changes nothing");
    let error = write_quietly(out.path(), &settings(2, 20, 2)).unwrap_err();
    let expected = format!(
        "{} already exists with other contents: remove it or choose another folder",
        folders[0].display()
    );
    assert_eq!(error.to_string(), expected);
    fs::write(folders[1].join("notes.txt"), "mine").unwrap();
    let error = write_quietly(out.path(), &wanted).unwrap_err();
    assert!(matches!(error, Error::Exists(path) if path == folders[1]));
    fs::remove_file(folders[1].join("notes.txt")).unwrap();
    assert_eq!(digests(&folders), before);
    let names: Vec<_> = fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left aside: {names:?}");
}

#[test]
fn names_the_folder_it_cannot_make() {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("file");
    fs::write(&file, "").unwrap();
    let error = write_quietly(&file, &settings(1, 1, 0)).unwrap_err().to_string();
    assert!(error.starts_with(&file.display().to_string()), "{error}");
}

#[test]
fn progress_ends_at_the_total() {
    let out = tempfile::tempdir().unwrap();
    let mut calls = Vec::new();
    write(out.path(), &settings(2, 10_000, 0), &mut |done, total| calls.push((done, total))).unwrap();
    assert_eq!(calls.last(), Some(&(20_000, 20_000)));
    assert!(calls.is_sorted() && calls.len() >= 4);
}
