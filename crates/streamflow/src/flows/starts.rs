//! What starts configured flows, checked before it does: a flow that could never run, or that would never end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::catalog::Known;
use super::parameters::{Parameter, check_given};
use super::{days, find};
use crate::config::{Config, FlowConfig, StepConfig, Trigger};

/// Refuses parameters of a configured flow that no run can take, and what starts it without the parameters it needs.
pub fn check(flow: &Known<'_>, config: &FlowConfig) -> anyhow::Result<()> {
    let name = flow.name;
    let of_flow = || format!("flows.{name}.parameters");
    if let Some(word) = days::unknown_word(&config.parameters) {
        bail!("{} holds {{{word}}}; expected {{date}}, {{month_end}} or {{last_month_end}}", of_flow());
    }
    let given = days::filled(&config.parameters, Timestamp::now());
    if let Some(built_in) = flow.built_in {
        check_given(name, built_in.parameters, &given).with_context(of_flow)?;
    }
    for step in &config.steps {
        check_step(step, &given).with_context(|| format!("flows.{name}.steps: step {}", step.name()))?;
    }
    for (key, brought) in starts(config)? {
        let brought = brought.iter().filter(|brought| match flow.built_in {
            Some(flow) => flow.parameters.iter().any(|parameter| parameter.name == **brought),
            None => true,
        });
        let known: BTreeSet<&str> = given.keys().map(String::as_str).chain(brought.copied()).collect();
        let Some(missing) = missing(flow, config, &known) else { continue };
        bail!(
            "flows.{name}.{key} would start the flow without {missing}, which it needs; give it in {}, such as \
             {{ {missing} = {} }}",
            of_flow(),
            if missing == "as_of" { "\"{last_month_end}\"" } else { "\"…\"" }
        );
    }
    Ok(())
}

/// Refuses what a step says to its flow, or leaves to it, where the flow cannot take it.
fn check_step(step: &StepConfig, given: &Map<String, Value>) -> anyhow::Result<()> {
    let Some(flow) = step.flow.as_deref() else { return Ok(()) };
    if let Some(word) = step.parameters.values().filter_map(Value::as_str).flat_map(days::words).next() {
        bail!("its parameters hold {{{word}}}; days are filled in the parameters of the flow, not of a step");
    }
    let table = find(flow)?.parameters;
    let mut all = given.clone();
    all.retain(|name, _| table.iter().any(|parameter| parameter.name == name));
    all.extend(step.parameters.clone());
    check_given(flow, table, &all).map(drop)
}

/// What starts a flow by itself, with the parameters that each brings. A hook is left out: who posts to it brings any.
fn starts(config: &FlowConfig) -> anyhow::Result<Vec<(String, &'static [&'static str])>> {
    let mut starts: Vec<(String, &[&str])> = Vec::new();
    starts.extend(config.schedule.is_some().then(|| ("schedule".to_owned(), &[][..])));
    starts.extend(config.watch.is_some().then(|| ("watch".to_owned(), &["as_of", "drop"][..])));
    for (trigger, text) in config.triggers()?.into_iter().zip(&config.on) {
        let brought: &[&str] = match trigger {
            Trigger::Webhook => continue,
            Trigger::Alert(_) => &[],
            Trigger::Snapshot | Trigger::Decision | Trigger::Flow(_) => &["as_of"],
        };
        starts.push((format!("on = [{text:?}]"), brought));
    }
    Ok(starts)
}

/// The first parameter that the flow, or a step of it, needs and that is not among the known ones.
fn missing<'a>(flow: &Known<'_>, config: &'a FlowConfig, known: &BTreeSet<&str>) -> Option<&'a str> {
    let has_source = flow.has_source;
    let needed =
        |table: &'static [Parameter]| table.iter().filter(move |parameter| parameter.is_needed(has_source));
    let of_flow = needed(flow.built_in.map_or(&[], |flow| flow.parameters)).map(|parameter| parameter.name);
    let of_flows = config.steps.iter().flat_map(|step| {
        let table =
            step.flow.as_deref().and_then(|flow| find(flow).ok()).map_or(&[][..], |flow| flow.parameters);
        needed(table).map(|parameter| parameter.name).filter(|name| !step.parameters.contains_key(*name))
    });
    // A word in braces that no parameter can fill is left to the program: it may be one of the program's own.
    let takes_any = config.on.iter().any(|text| text == "webhook");
    let of_commands = config.steps.iter().flat_map(|step| &step.run).flat_map(|word| days::words(word));
    let of_commands = of_commands.filter(|_| !takes_any);
    of_flow.chain(of_flows).chain(of_commands).find(|name| !known.contains(name))
}

/// Refuses flows that start each other in a circle: they would run for ever.
pub fn refuse_cycles(config: &Config) -> anyhow::Result<()> {
    let mut after: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, flow) in &config.flows {
        let triggers = flow.triggers()?.into_iter().filter_map(|trigger| match trigger {
            Trigger::Flow(other) => Some(other),
            _ => None,
        });
        after.insert(name, triggers.collect());
    }
    for name in config.flows.keys() {
        if let Some(cycle) = cycle(&after, &mut vec![name.clone()], &mut BTreeSet::new()) {
            bail!(
                "flows.{name}.on: the flows {} start each other for ever; take one flow: out of their on",
                cycle.join(" → ")
            );
        }
    }
    Ok(())
}

/// The way from the first flow of the path back to it, each followed by the one that it starts.
fn cycle(
    after: &BTreeMap<&str, Vec<String>>,
    path: &mut Vec<String>,
    seen: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    let starters = path.last().and_then(|last| after.get(last.as_str())).into_iter().flatten();
    for starter in starters {
        if Some(starter) == path.first() {
            return Some(path.iter().chain([starter]).rev().cloned().collect());
        }
        if seen.insert(starter.clone()) {
            path.push(starter.clone());
            let found = cycle(after, path, seen);
            path.pop();
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::catalog;
    use super::*;

    #[track_caller]
    fn check_case(toml: &str, expected: &str) {
        let mut config = Config::example().unwrap();
        config.flows = toml::from_str(toml).unwrap();
        let error = catalog::check(&config).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains(expected) && error.is_empty() == expected.is_empty(), "{toml}: {error}");
    }

    #[test]
    fn what_could_never_run_is_refused() {
        let daily = "schedule = \"0 6 * * *\"";
        for (toml, expected) in [
            (
                "[monthly]\nschedule = { every = \"1d\" }",
                "flows.monthly.schedule would start the flow without as_of",
            ),
            ("[monthly]\nwatch = \"inbox\"", ""),
            ("[monthly]\non = [\"webhook\"]", ""),
            ("[monitor_month]\non = [\"snapshot\"]", ""),
            (
                "[train_model]\non = [\"alert:Slow\"]",
                "on = [\"alert:Slow\"] would start the flow without as_of",
            ),
            ("[train_model]\nparameters = { as_of = \"{month_en}\" }", "holds {month_en}; expected {date}"),
            ("[train_model]\nparameters = { as_of = 5 }", "as_of of flow train_model is 5; expected a date"),
            ("[own]\nsteps = [{ flow = \"monthly\", parameters = { as_of = \"{date}\" } }]", "not of a step"),
            ("[own]\nsteps = [{ flow = \"monthly\", parameters = { as_off = 1 } }]", "did you mean as_of?"),
            (
                "[own]\nparameters = { as_of = 1 }\nsteps = [{ flow = \"monthly\" }]",
                "as_of of flow monthly is 1",
            ),
            ("[own]\nsteps = [{ run = [\"echo\", \"{month}\"] }]", ""),
            ("[own]\non = [\"webhook\"]\nsteps = [{ run = [\"echo\", \"{month}\"] }]", ""),
            ("[own]\nwatch = \"inbox\"\nsteps = [{ run = [\"echo\", \"{as_of} {drop}\"] }]", ""),
            (
                "[own]\non = [\"snapshot\"]\nsteps = [{ run = [\"echo\", \"{as_of} {drop}\"] }]",
                "without drop",
            ),
        ] {
            check_case(toml, expected);
        }
        let scheduled = |rest: &str| {
            format!("[own]\n{}\n{rest}", daily.replace("\"0 6 * * *\"", "{ cron = \"0 6 * * *\" }"))
        };
        check_case(
            &scheduled("steps = [{ run = [\"echo\", \"{month}\"] }]"),
            "flows.own.schedule would start the flow without month",
        );
        check_case(
            &scheduled("parameters = { month = \"{date}\" }\nsteps = [{ run = [\"echo\", \"{month}\"] }]"),
            "",
        );
        check_case(&scheduled("steps = [{ flow = \"monthly\" }]"), "without as_of");
        check_case(&scheduled("steps = [{ run = [\"awk\", \"{ print $1 }\"] }]"), "");
    }

    #[test]
    fn flows_that_start_each_other_are_refused() {
        let flow = |name: &str, after: &str| {
            format!("[{name}]\non = [\"flow:{after}\"]\nsteps = [{{ run = [\"true\"] }}]\n")
        };
        check_case(&flow("a", "a"), "a → a start each other");
        check_case(&(flow("a", "b") + &flow("b", "a")), "a → b → a start each other");
        let three = flow("a", "monthly") + &flow("b", "d") + &flow("c", "b") + &flow("d", "c");
        check_case(&three, "b → c → d → b start each other");
        check_case(&(flow("a", "monthly") + &flow("b", "a") + &flow("c", "a")), "");
    }
}
