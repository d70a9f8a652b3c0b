use std::sync::Arc;

use streamflow_model::Task;

use super::*;
use crate::predictions::{Cell, Logged, Shape};
use crate::store::labels::{Label, Taken, Truth};

/// 2024-03-01T07:30:00Z.
const TIME_US: i64 = 1_709_278_200_000_000;

fn shape(classes: &[&str]) -> Arc<Shape> {
    Arc::new(Shape {
        model: "churn".into(),
        version: "1".into(),
        as_of: "2024-02-29".into(),
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
        features: vec![("hours".into(), true), ("plan".into(), false)],
    })
}

/// The answer about an entity, with a score that follows its number.
fn answer(shape: &Arc<Shape>, number: usize, probabilities: &[f64]) -> Logged {
    Logged {
        shape: shape.clone(),
        time_us: TIME_US + number as i64,
        request_id: Some(format!("r{number}").into()),
        entity: Some(number.to_string().into()),
        protocol: "predict",
        latency_us: 1,
        score: number as f64 / 1000.0,
        prediction: None,
        probabilities: probabilities.into(),
        values: vec![
            Cell::Number(number as f64),
            Cell::Text(if number.is_multiple_of(2) { "a" } else { "b" }.into()),
        ],
    }
}

fn sent(request: usize, truth: Truth, at_us: i64) -> Taken {
    let label = Label { request_id: format!("r{request}"), entity: String::new(), time_us: 0, truth };
    Taken { label, at_us }
}

/// What labels say of answers; those of the month are known since 100 µs.
fn measured(task: Task, answers: &[Logged], labels: Vec<Taken>, month: &[(&str, Truth)]) -> Later {
    let truths: HashMap<u64, Truth> =
        month.iter().map(|(entity, truth)| (hash(entity), truth.clone())).collect();
    let (again, copied) = (labels.clone(), truths.clone());
    let mut of_month = move |_: &str| Ok(Some(MonthLabels { at_us: 100, truths: copied.clone() }));
    let mut read_month = |as_of: &str| {
        assert_eq!(as_of, "2024-02-29");
        Ok(Some(MonthLabels { at_us: 100, truths: truths.clone() }))
    };
    let mut join = Join::new(Unit::Day, task, labels, &mut read_month);
    answers.iter().for_each(|row| join.add(row).unwrap());
    let found = join.measure(&mut Versions::new(&mut |_| Ok(None))).unwrap();
    // An hour that is held says the same, but for the features.
    let mut hour = Hour::new(TIME_US);
    answers.iter().for_each(|row| hour.add(row).unwrap());
    let mut join = Join::new(Unit::Day, task, again, &mut of_month);
    hour.answers().for_each(|answer| drop(join.add_answer(&answer).unwrap()));
    let held = join.measure(&mut Versions::new(&mut |_| Ok(None))).unwrap();
    for (held, found) in held.periods.iter().zip(&found.periods) {
        assert_eq!(
            (held.labelled, held.from_ingest, &held.realised),
            (found.labelled, found.from_ingest, &found.realised)
        );
    }
    found
}

#[test]
fn of_a_month_and_a_sent_label_the_newer_counts() {
    let shape = shape(&[]);
    let answers: Vec<Logged> = (0..4).map(|number| answer(&shape, number, &[])).collect();
    let (yes, no) = (Truth::Number(1.0), Truth::Number(0.0));
    // The first is corrected by the month, the second corrects it.
    let labels =
        vec![sent(0, yes.clone(), 50), sent(1, yes.clone(), 150), sent(2, Truth::Class("x".into()), 1)];
    let found = measured(Task::Binary, &answers, labels, &[("0", no.clone()), ("1", no)]);
    let period = &found.periods[0];
    assert_eq!((period.rows, period.labelled, period.from_ingest, period.state), (4, 2, 1, "partial"));
    assert_eq!(found.unfit_labels, 1);
    // Entity 1, who has the higher score, is the positive one.
    assert_eq!(period.realised[&Metric::RocAuc].value, Some(1.0));
}

#[test]
fn several_classes_are_measured_by_all_their_probabilities() {
    let (with, without) = (shape(&["basic", "plus"]), shape(&[]));
    let mut answers: Vec<Logged> = (0..40)
        .map(|number| {
            answer(&with, number, if number.is_multiple_of(4) { &[0.25, 0.75] } else { &[0.75, 0.25] })
        })
        .collect();
    answers.push(answer(&without, 40, &[]));
    let class = |number: usize| Truth::Class(if number.is_multiple_of(4) { "plus" } else { "basic" }.into());
    let mut labels: Vec<Taken> = (0..40).map(|number| sent(number, class(number), 1)).collect();
    labels[1].label.truth = Truth::Class("premium".into());
    let found = measured(Task::Multiclass, &answers, labels, &[]);
    let period = &found.periods[0];
    assert_eq!((period.rows, period.labelled, period.state, period.metric), (41, 40, "partial", "log_loss"));
    assert_eq!(period.state_words, "partial 97 %");
    assert_eq!(
        [(40, 41), (7_044, 7_047), (1, 7_047)].map(|(labelled, rows)| state_words("partial", labelled, rows)),
        ["partial 97 %", "partial 99 %", "partial 0 %"]
    );
    assert_eq!(period.realised[&Metric::Accuracy].value, Some(39.0 / 40.0));
    assert!(
        period.notes[0].starts_with("Not measured: 1 answer was kept without the probabilities"),
        "{:?}",
        period.notes
    );
    assert!(period.notes[1].contains("(premium)"), "{:?}", period.notes);
    let none = measured(Task::Multiclass, &answers[40..], vec![sent(40, class(1), 1)], &[]);
    assert!(none.periods[0].realised.is_empty());
}

#[test]
fn numbers_are_measured_by_their_errors() {
    let shape = shape(&[]);
    let answers: Vec<Logged> = (0..10).map(|number| answer(&shape, number, &[])).collect();
    let truth = |number: usize| Truth::Number(number as f64 / 1000.0 + 2.0);
    let names: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let month: Vec<(&str, Truth)> =
        names.iter().enumerate().map(|(number, name)| (&**name, truth(number))).collect();
    let found = measured(Task::Regression, &answers, Vec::new(), &month);
    let period = &found.periods[0];
    assert_eq!((period.state, period.from_ingest, period.metric), ("final", 10, "rmse"));
    assert!((period.realised[&Metric::Rmse].value.unwrap() - 2.0).abs() < 1e-12);
}

#[test]
fn labelled_answers_that_are_not_like_the_others_are_told_by_what_differs() {
    let shape = shape(&[]);
    let answers: Vec<Logged> = (0..1000).map(|number| answer(&shape, number, &[])).collect();
    let label = |number: usize| sent(number, Truth::Number((number.is_multiple_of(3)).into()), 1);
    // The lower half, whose score and hours are lower; plans are spread evenly.
    let early = measured(Task::Binary, &answers, (0..500).map(label).collect(), &[]);
    let period = &early.periods[0];
    let mut columns: Vec<&str> = period.differences.iter().map(|found| &*found.column).collect();
    columns.sort_unstable();
    assert_eq!(columns, ["hours", "score"], "{:#?}", period.differences);
    let effect = &period.differences[0];
    assert!(effect.effect.unwrap().abs() > effect.threshold.unwrap(), "{effect:?}");
    let note = &period.notes[0];
    assert!(note.starts_with("What the labels say holds for the 500 labelled answers only"), "{note}");
    assert!(note.contains("hours (mean fell by") && !note.contains("about"), "{note}");
    // Others are like those that have none, and too few say nothing.
    for labels in [(0..1000).filter(|number| mixed(*number)).collect::<Vec<_>>(), (0..20).collect(), vec![]] {
        let like = measured(Task::Binary, &answers, labels.into_iter().map(label).collect(), &[]);
        assert_eq!((&like.periods[0].differences, &like.periods[0].notes), (&vec![], &vec![]));
    }
}

/// Half of the numbers, without an order.
fn mixed(number: usize) -> bool {
    number.wrapping_mul(2_654_435_761) >> 7 & 1 == 0
}

#[test]
fn of_many_answers_some_have_their_features_held() {
    let shape = shape(&[]);
    let mut sample = sample::Sample::new(100);
    (0..5000).for_each(|number| sample.add(number, &answer(&shape, number, &[])));
    let scores: Vec<f64> = (0..5000).map(f64::from).collect();
    let (features, predictions) = sample.features(&scores);
    assert!((40..=100).contains(&predictions.len()), "{}", predictions.len());
    let streamflow_model::FeatureColumn::Numerical(hours) = &features[0].1 else { panic!() };
    assert_eq!(hours, &predictions);
    let mean = predictions.iter().sum::<f64>() / predictions.len() as f64;
    assert!((1900.0..3100.0).contains(&mean), "{mean}");
}
