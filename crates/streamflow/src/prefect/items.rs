//! What Prefect's API takes: states, task runs as events, lines of logs, documents. Ids are made of what they stand for, so
//! that sending twice changes nothing.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::server::shortened;
use crate::random::hex;
use crate::store::State;
use crate::store::mirror::{Artifact, Mirrored, Told, ToldLog, ToldTask};

/// Longest log line or state message in bytes; Prefect Cloud's limit is 25,000.
const MESSAGE_BYTES_MAX: usize = 20_000;
/// Longest artifact in bytes.
const ARTIFACT_BYTES_MAX: usize = 500_000;
/// A state of a run that arrives later than that says when it was. Prefect stamps it with the time of its arrival.
const LATE_S: i64 = 2;

/// A UUID made of a text: the same text gives the same one.
pub fn uuid_of(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    // Version 8, "made by a rule of one's own", and the variant of RFC 9562.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex(&bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    parts.join("-")
}

/// Prefect's word for a state.
fn type_of(state: State) -> String {
    state.as_str().to_uppercase()
}

/// True for a state of a run that Prefect is told. It is told of no waiting before the first start; of none that a worker
/// would take for its own work, or that it refuses for a run without a deployment that had ended; and not of Cancelling,
/// on which a worker would end a process.
pub fn is_run_state_told(told: &Told, mirrored: &Mirrored) -> bool {
    match told.state {
        State::Pending | State::Cancelling => false,
        State::Scheduled => !mirrored.is_attached && mirrored.last.is_some_and(|last| !last.is_terminal()),
        _ => true,
    }
}

/// The body of `set_state` of a run.
pub fn run_state(prefect_id: &str, told: &Told, now: jiff::Timestamp) -> Value {
    let at: Option<jiff::Timestamp> = told.at.parse().ok();
    let is_late = at.is_some_and(|at| now.as_second() - at.as_second() > LATE_S);
    let mut message = told.message.clone();
    if is_late {
        message = format!("{message} (it was {})", told.at).trim().to_owned();
    }
    json!({ "state": {
        "type": type_of(told.state),
        "name": shortened(&told.state_name, 200),
        "message": shortened(&message, MESSAGE_BYTES_MAX),
        "state_details": { "transition_id": uuid_of(&format!("{prefect_id} state {}", told.id)) },
    }})
}

/// The id of a task's run.
fn task_run_id(prefect_id: &str, task: i64) -> String {
    uuid_of(&format!("{prefect_id} task {task}"))
}

/// The time of a transition with its number in the microseconds: Prefect drops a state that is not later than the one
/// before, and two may stand in one millisecond.
fn in_order(at: &str, transition: i64) -> String {
    format!("{}{:03}Z", at.trim_end_matches('Z'), transition % 1000)
}

/// A state of a task as the event from which Prefect makes it, with its original time.
pub fn task_event(prefect_id: &str, told: &Told, task: &ToldTask) -> Value {
    let message = shortened(&told.message, MESSAGE_BYTES_MAX);
    let id = task_run_id(prefect_id, task.id);
    let (state_type, occurred) = (type_of(told.state), in_order(&told.at, told.id));
    let mut run = json!({
        "name": task.name,
        "task_key": task.name,
        "dynamic_key": task.id.to_string(),
        "start_time": task.started_at,
        "expected_start_time": task.started_at,
        "run_count": task.run_count,
        "flow_run_run_count": task.attempt,
        "tags": [],
        "task_inputs": {},
    });
    if told.state.is_terminal() {
        run["end_time"] = json!(told.at);
        run["total_run_time"] = json!(task.duration_ms.unwrap_or_default() / 1e3);
    }
    json!({
        "id": uuid_of(&format!("{prefect_id} event {}", told.id)),
        "occurred": occurred,
        "event": format!("prefect.task-run.{}", told.state_name),
        "resource": {
            "prefect.resource.id": format!("prefect.task-run.{id}"),
            "prefect.resource.name": task.name,
            "prefect.run-count": task.run_count.to_string(),
            "prefect.state-message": message,
            "prefect.state-name": told.state_name,
            "prefect.state-timestamp": occurred,
            "prefect.state-type": state_type,
            "prefect.orchestration": "client",
        },
        "related": [{
            "prefect.resource.id": format!("prefect.flow-run.{prefect_id}"),
            "prefect.resource.role": "flow-run",
        }],
        "payload": {
            "validated_state": { "type": state_type, "name": told.state_name, "message": message },
            "task_run": run,
        },
    })
}

/// A line of the log.
pub fn log(prefect_id: &str, line: &ToldLog) -> Value {
    json!({
        "name": "streamflow.flow_runs",
        "level": python_level(&line.level),
        "message": shortened(&line.message, MESSAGE_BYTES_MAX),
        "timestamp": line.at,
        "flow_run_id": prefect_id,
        "task_run_id": line.task.map(|task| task_run_id(prefect_id, task)),
    })
}

/// A document. Prefect's keys are `[a-z0-9-]`; other characters become `-`.
pub fn artifact(prefect_id: &str, artifact: &Artifact) -> Value {
    let data = shortened(&artifact.markdown, ARTIFACT_BYTES_MAX);
    json!({ "key": artifact_key(&artifact.key), "type": "markdown", "data": data, "flow_run_id": prefect_id })
}

/// Python's numbers for log levels, which Prefect stores and filters by.
fn python_level(level: &str) -> u8 {
    match level {
        "error" => 40,
        "warn" | "warning" => 30,
        "debug" => 10,
        _ => 20,
    }
}

/// `name` in the characters Prefect takes for an artifact's key; `report` when nothing is left.
fn artifact_key(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let letters = |letter: char| !letter.is_ascii_alphanumeric();
    let parts: Vec<&str> = lower.split(letters).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "report".to_owned() } else { parts.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefect::server::is_uuid;

    fn told(state: State, name: &str, task: Option<ToldTask>) -> Told {
        let (state_name, at) = (name.to_owned(), "2024-03-01T06:00:00.250Z".to_owned());
        Told { id: 7, state, state_name, message: "m".into(), at, task }
    }

    #[test]
    fn states_of_runs() {
        use State::{Cancelled, Cancelling, Completed, Crashed, Paused, Pending, Running, Scheduled};
        for (is_attached, last, state, expected) in [
            (false, None, Scheduled, false),
            (false, None, Pending, false),
            (false, None, Running, true),
            (false, None, Cancelled, true),
            (false, Some(Running), Scheduled, true),
            (true, Some(Running), Scheduled, false),
            (false, Some(Crashed), Scheduled, false),
            (false, Some(Crashed), Running, true),
            (false, Some(Running), Paused, true),
            (false, Some(Running), Cancelling, false),
            (false, Some(Running), Completed, true),
        ] {
            let mirrored = Mirrored {
                prefect_id: None,
                is_attached,
                is_closed: false,
                position: Default::default(),
                last,
            };
            let found = is_run_state_told(&told(state, "x", None), &mirrored);
            assert_eq!(found, expected, "{state:?} after {last:?}, attached {is_attached}");
        }
        let at = |text: &str| text.parse().unwrap();
        let completed = told(Completed, "NO_ACTION", None);
        let now = run_state("a", &completed, at("2024-03-01T06:00:01Z"));
        assert_eq!(
            (&now["state"]["type"], &now["state"]["name"], &now["state"]["message"]),
            (&json!("COMPLETED"), &json!("NO_ACTION"), &json!("m"))
        );
        let late = run_state("a", &completed, at("2024-03-01T06:05:00Z"));
        assert_eq!(late["state"]["message"], "m (it was 2024-03-01T06:00:00.250Z)");
        assert_eq!(late["state"]["state_details"], now["state"]["state_details"], "the same transition");
    }

    #[test]
    fn a_task_keeps_its_times_and_its_id() {
        let task = ToldTask {
            id: 3,
            name: "train".into(),
            started_at: "2024-03-01T06:00:00.000Z".into(),
            duration_ms: Some(250.0),
            attempt: 2,
            run_count: 2,
        };
        let events: Vec<Value> = [(State::Running, "Retrying"), (State::Completed, "Cached")]
            .into_iter()
            .map(|(state, name)| task_event("a", &told(state, name, None), &task))
            .collect();
        assert_eq!(
            events[0]["resource"]["prefect.resource.id"],
            events[1]["resource"]["prefect.resource.id"]
        );
        assert_eq!(events[0]["occurred"], "2024-03-01T06:00:00.250007Z");
        let runs: Vec<&Value> = events.iter().map(|event| &event["payload"]["task_run"]).collect();
        assert_eq!((&runs[0]["run_count"], &runs[0]["end_time"]), (&json!(2), &Value::Null));
        assert_eq!(
            (&runs[1]["total_run_time"], &runs[1]["end_time"]),
            (&json!(0.25), &json!("2024-03-01T06:00:00.250Z"))
        );
        assert_eq!(events[1]["payload"]["validated_state"]["name"], "Cached");
    }

    #[test]
    fn ids_keys_and_texts_fit() {
        assert!(is_uuid(&uuid_of("a")));
        assert_eq!(uuid_of("a"), uuid_of("a"));
        assert_ne!(uuid_of("a"), uuid_of("b"));
        for (name, key) in
            [("drift-2024-01-31", "drift-2024-01-31"), ("A b__C/", "a-b-c"), ("", "report"), ("é", "report")]
        {
            assert_eq!(artifact_key(name), key);
        }
        for (text, expected) in [("", ""), ("abcd", "abcd"), ("abcde", "abcd…"), ("abcé", "abc…")] {
            assert_eq!(shortened(text, 4), expected);
        }
    }
}
