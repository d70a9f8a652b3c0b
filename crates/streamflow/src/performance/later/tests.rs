use std::sync::Arc;

use streamflow_model::{Answers, FeatureColumn, Features, Labels, Task, TrainSettings, train};

use super::group::Labelled;
use super::*;
use crate::performance::judged::Judged;
use crate::performance::scored::{Learning, Scored};
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
        features_sent: 0,
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
    measured_of(task, answers, labels, month, &mut |_| Ok(None))
}

/// The same, with the versions that answered.
fn measured_of(
    task: Task,
    answers: &[Logged],
    labels: Vec<Taken>,
    month: &[(&str, Truth)],
    version: &mut dyn FnMut(&str) -> anyhow::Result<Option<Known>>,
) -> Later {
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
    let found = join.measure(&mut Versions::new(&mut *version)).unwrap();
    // An hour that is held says the same, but for the features.
    let mut hour = Hour::new(TIME_US);
    answers.iter().for_each(|row| hour.add(row).unwrap());
    let mut join = Join::new(Unit::Day, task, again, &mut of_month);
    hour.answers().for_each(|answer| drop(join.add_answer(&answer).unwrap()));
    let held = join.measure(&mut Versions::new(version)).unwrap();
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
    let words = |labelled, rows| Labelled { rows, labelled }.state_words(0);
    assert_eq!(
        [(40, 41), (7_044, 7_047), (1, 7_047)].map(|(labelled, rows)| words(labelled, rows)),
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
    assert!(
        note.contains("hours (mean 249.5 with a label, 749.5 without)") && !note.contains("about"),
        "{note}"
    );
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
    let FeatureColumn::Numerical(hours) = &features[0].1 else { panic!() };
    assert_eq!(hours, &predictions);
    let mean = predictions.iter().sum::<f64>() / predictions.len() as f64;
    assert!((1900.0..3100.0).contains(&mean), "{mean}");
}

/// Numbers from 0 to 1 without an order, the same at each place.
fn chance(place: usize) -> f64 {
    (place.wrapping_mul(2_654_435_761) % 10_007) as f64 / 10_007.0
}

/// A version whose scores were right on the rows that judged it: of the rows with a score, that share is positive.
fn known(trained: Option<&[&str]>) -> Known {
    let rows = 0..1000;
    let scores: Vec<f64> = rows.clone().map(|row| row as f64 / 1000.0).collect();
    let truths: Vec<bool> = rows.clone().map(|row| chance(row) < scores[row]).collect();
    let entities: Vec<String> = rows.clone().map(|row| format!("validated-{row}")).collect();
    let hours = FeatureColumn::Numerical(scores.clone());
    let features = Features::new(vec![("hours".to_owned(), hours)]).unwrap();
    let labels = Labels::Binary(truths.into_iter().map(Some).collect());
    let settings = TrainSettings { max_rounds: 1, ..TrainSettings::default() };
    let model = train(&features, &labels, &entities, &settings).unwrap().model;
    let judged = Judged::new(labels, Answers::Probability(scores), &[], 0.5).unwrap();
    let folds = rows.clone().map(|row| u32::try_from(row % 10).unwrap()).collect();
    let scored = Scored { judged, entities, features, places: rows.collect(), trained_on: 0 };
    let learning = Learning::Split { seed: 1, validation_share: 0.25 };
    let version = Version { number: 1, as_of: "2024-02-29".parse().unwrap(), model, learning };
    let trained = trained.map(|names| names.iter().map(|name| hash(name)).collect());
    Known::new(version, Some(Reference { scored, folds }), trained)
}

#[test]
fn a_burst_of_one_entity_weighs_as_much_as_any_other() {
    let shape = shape(&[]);
    let label = |number: usize| sent(number, Truth::Number(f64::from(u8::from(chance(number) < 0.5))), 1);
    let mut answers: Vec<Logged> = (0..300).map(|number| answer(&shape, number, &[])).collect();
    let mut labels: Vec<Taken> = (0..300).map(label).collect();
    // The 300th is asked about again and again, is always positive and has the highest score.
    let again = |number: usize| Logged { entity: Some("300".into()), ..answer(&shape, number, &[]) };
    answers.push(again(999));
    labels.push(sent(999, Truth::Number(1.0), 1));
    let once = measured(Task::Binary, &answers, labels.clone(), &[]);
    answers.extend((400..999).map(again));
    labels.extend((400..999).map(|number| sent(number, Truth::Number(1.0), 1)));
    let burst = measured(Task::Binary, &answers, labels, &[]);
    let (once, burst) = (&once.periods[0], &burst.periods[0]);
    assert_eq!((once.rows, once.labelled, once.entities), (301, 301, 301));
    assert_eq!((burst.rows, burst.labelled, burst.entities, burst.counted), (900, 900, 301, 301));
    assert_eq!(once.realised, burst.realised);
    assert_eq!(once.notes, [""; 0]);
    let said =
        "900 answers are about 301 entities, and each counts once, with its newest answer that has a label.";
    assert_eq!(burst.notes, [said]);
    // Where entities are left out of the log each answer counts, and that is said.
    answers.iter_mut().for_each(|row| row.entity = None);
    let unnamed = measured(Task::Binary, &answers, vec![sent(0, Truth::Number(1.0), 1)], &[]);
    let unnamed = &unnamed.periods[0];
    assert_eq!((unnamed.entities, unnamed.unnamed, unnamed.counted), (0, 900, 900));
    assert!(unnamed.notes[0].starts_with("900 answers name no entity"), "{:?}", unnamed.notes);
}

#[test]
fn labels_are_held_against_the_scores_of_the_same_answers_alone() {
    let shape = shape(&[]);
    let answers: Vec<Logged> = (0..1000).map(|number| answer(&shape, number, &[])).collect();
    let as_learned = |number: usize| chance(number) < number as f64 / 1000.0;
    let by_chance = |number: usize| chance(number + 5000) < 0.5;
    let of = |numbers: std::ops::Range<usize>, is_positive: &dyn Fn(usize) -> bool| {
        let label = |number: usize| sent(number, Truth::Number(is_positive(number).into()), 1);
        let found = measured_of(Task::Binary, &answers, numbers.map(label).collect(), &[], &mut |_| {
            Ok(Some(known(Some(&[]))))
        });
        let period = found.periods[0].clone();
        let is_said = period.notes.iter().any(|note| note.contains("which no estimate sees"));
        let value = |estimate: Option<EstimatedValue>| estimate.unwrap().value.unwrap();
        let realised = period.realised[&Metric::RocAuc].value.unwrap();
        (value(period.estimated), value(period.estimated_labelled), realised, is_said)
    };
    // Answers of much the same score cannot be told apart as well as all of them: nothing has changed.
    let (all, labelled, realised, is_said) = of(400..600, &as_learned);
    assert!(all > 0.8 && labelled < 0.6 && realised < 0.7 && !is_said, "{all} {labelled} {realised}");
    let (all, labelled, realised, is_said) = of(0..1000, &by_chance);
    assert!(all == labelled && realised < 0.56 && is_said, "{all} {labelled} {realised}");
    // Labels that say better than was promised are no fault.
    let (_, labelled, realised, is_said) = of(0..1000, &|number| number >= 500);
    assert!(realised == 1.0 && labelled < 0.9 && !is_said, "{labelled} {realised}");
}

#[test]
fn only_entities_that_a_version_learned_from_are_said_to_flatter_it() {
    let shape = shape(&[]);
    let answers: Vec<Logged> = (0..40).map(|number| answer(&shape, number, &[])).collect();
    let notes = |trained: Option<&'static [&'static str]>| {
        let mut version = |_: &str| Ok(Some(known(trained)));
        measured_of(Task::Binary, &answers, Vec::new(), &[], &mut version).periods[0].notes.clone()
    };
    assert_eq!(notes(Some(&["not asked about"])), [""; 0]);
    let note = notes(Some(&["3", "5", "not asked about"])).remove(0);
    assert!(note.starts_with("2 of the answers that count are about entities of 2024-02-29"), "{note}");
    let note = notes(None).remove(0);
    assert!(note.contains("who of them the version learned from is not known"), "{note}");
}

#[test]
fn a_label_of_a_month_is_assumed_where_features_came_with_the_request() {
    let shape = shape(&[]);
    let mut answers: Vec<Logged> = (0..4).map(|number| answer(&shape, number, &[])).collect();
    answers[2].features_sent = 1;
    let no = Truth::Number(0.0);
    let month = ["0", "1", "2", "3"].map(|name| (name, no.clone()));
    let found = |labels: Vec<Taken>| measured(Task::Binary, &answers, labels, &month).periods[0].clone();
    let assumed = found(vec![sent(3, no.clone(), 150)]);
    assert_eq!((assumed.state, assumed.assumed, assumed.from_ingest), ("assumed", 1, 3));
    let note = &assumed.notes[0];
    assert!(
        note.starts_with("3 of the labels that count are those of ingested months, 1 was sent; of 1"),
        "{note}"
    );
    let settled = found(vec![sent(2, no.clone(), 150)]);
    assert_eq!((settled.state, settled.assumed, settled.from_ingest), ("final", 0, 3));
}

#[test]
fn a_label_of_another_entity_than_its_request_was_about_is_named() {
    let shape = shape(&[]);
    let answers: Vec<Logged> = (0..4).map(|number| answer(&shape, number, &[])).collect();
    let of = |request: usize, entity: &str| {
        let mut taken = sent(request, Truth::Number(1.0), 1);
        taken.label.entity = entity.into();
        taken
    };
    let found = measured(Task::Binary, &answers, vec![of(0, "0"), of(1, "2"), of(9, "1")], &[]);
    assert_eq!((found.periods[0].labelled, found.unknown_labels, found.mismatched_labels), (1, 1, 1));
    assert_eq!(found.mismatched, ["r1"]);
}

#[test]
fn of_a_request_that_was_sent_again_the_newest_answer_about_the_entity_has_the_label() {
    let shape = shape(&[]);
    let mut answers: Vec<Logged> = (0..3).map(|number| answer(&shape, number, &[])).collect();
    // The third answers the first's request again.
    (answers[2].request_id, answers[2].entity) = (answers[0].request_id.clone(), answers[0].entity.clone());
    let mut named = sent(0, Truth::Number(1.0), 1);
    named.label.entity = "0".into();
    let mut found = measured(Task::Binary, &answers, vec![named], &[]);
    let period = &found.periods[0];
    assert_eq!(
        (found.ambiguous_labels, period.labelled, period.counted, period.counted_labelled),
        (0, 1, 2, 1)
    );
    found.tell();
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    let mut found = measured(Task::Binary, &answers, vec![sent(0, Truth::Number(1.0), 1)], &[]);
    found.tell();
    let expected = "1 label names a request with several answers and none of its entities, so it is not known whom they are of; \
                    send the entity too.";
    assert_eq!((found.ambiguous_labels, found.notes), (1, vec![expected.to_owned()]));
}
