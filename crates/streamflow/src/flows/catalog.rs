//! Every flow that can run here: those built in and those of the configuration.

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Map, Value};
use streamflow_schedule::Schedule;
use utoipa::ToSchema;

use super::parameters::DROP;
use super::policy::Policy;
use super::{Ended, FLOWS, Flow, FlowRun, Parameter, Parameters, days, own, parameters, starts};
use crate::config::{Config, FlowConfig, Trigger, nearest};

/// A flow that can run here.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub name: &'a str,
    pub(super) built_in: Option<&'static Flow>,
    /// What the configuration says of it.
    pub config: Option<&'a FlowConfig>,
    /// Whether the configuration says where tables are, so that a run needs no drop.
    pub(super) has_source: bool,
}

/// A flow as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FlowDescription)]
pub struct Description<'a> {
    pub name: &'a str,
    pub doc: &'a str,
    #[schema(value_type = Vec<Parameter>)]
    pub parameters: &'a [Parameter],
    /// Names of the steps of a flow of one's own.
    pub steps: Vec<&'a str>,
    /// The schedule in words.
    pub schedule: Option<String>,
    #[schema(value_type = Vec<String>)]
    pub on: &'a [String],
    pub watch: Option<String>,
}

/// The flow of that name.
///
/// # Errors
/// A name that no flow has.
pub fn known<'a>(config: &'a Config, name: &'a str) -> anyhow::Result<Known<'a>> {
    let built_in = FLOWS.iter().find(|flow| flow.name == name).copied();
    let configured = config.flows.get(name);
    if built_in.is_none() && configured.is_none_or(|flow| flow.steps.is_empty()) {
        let names: Vec<&str> = all(config).map(|flow| flow.name).collect();
        let hint = nearest(name, names.iter().copied()).map(|near| format!("; did you mean {near}?"));
        bail!("there is no flow {name:?}; expected {}{}", names.join(", "), hint.unwrap_or_default());
    }
    Ok(Known { name, built_in, config: configured, has_source: config.dataset.source.is_some() })
}

/// All flows, those built in first.
pub fn all(config: &Config) -> impl Iterator<Item = Known<'_>> {
    let has_source = config.dataset.source.is_some();
    let built_in = FLOWS.iter().map(move |flow| Known {
        name: flow.name,
        built_in: Some(flow),
        config: config.flows.get(flow.name),
        has_source,
    });
    let is_own = |(name, flow): &(&String, &FlowConfig)| {
        !flow.steps.is_empty() && FLOWS.iter().all(|built_in| built_in.name != name.as_str())
    };
    let own = config.flows.iter().filter(is_own);
    built_in.chain(own.map(move |(name, flow)| Known {
        name,
        built_in: None,
        config: Some(flow),
        has_source,
    }))
}

/// The flows that the configuration wants to succeed at least so often, with the age in seconds.
pub fn success_ages(config: &Config) -> anyhow::Result<Vec<(String, f64)>> {
    let ages = config.flows.iter().map(|(name, flow)| Ok((name, flow.max_age_of_success()?)));
    let known = ages.filter_map(|age| match age {
        Ok((name, age)) => age.map(|age| Ok((name.clone(), age.as_secs_f64()))),
        Err(error) => Some(Err(error)),
    });
    known.collect()
}

/// Refuses sections of flows that there are not, steps for a flow that has its own, parameters that a flow does not take,
/// and what could never run or would never end.
pub fn check(config: &Config) -> anyhow::Result<()> {
    for (channel, settings) in &config.notify {
        for flow in &settings.flows {
            known(config, flow).with_context(|| format!("notify.{channel}.flows"))?;
        }
    }
    for (name, flow) in &config.flows {
        let known = known(config, name).with_context(|| {
            format!("flows.{name} is neither built in nor has steps of its own (flows.{name}.steps)")
        })?;
        if known.built_in.is_some() && !flow.steps.is_empty() {
            bail!("flows.{name}.steps: the flow is built in and has its own steps; choose another name");
        }
        for trigger in flow.triggers()? {
            if let Trigger::Flow(other) = trigger {
                self::known(config, &other).with_context(|| format!("flows.{name}.on"))?;
            }
        }
        for step in flow.steps.iter().filter_map(|step| step.flow.as_ref()) {
            super::find(step).with_context(|| format!("flows.{name}.steps"))?;
        }
        if let Some(built_in) = known.built_in {
            let names: Vec<&str> = built_in.parameters.iter().map(|parameter| parameter.name).collect();
            if let Some(unknown) = flow.parameters.keys().find(|given| !names.contains(&given.as_str())) {
                bail!("flows.{name}.parameters names {unknown:?}; the flow takes {}", names.join(", "));
            }
        }
        starts::check(&known, flow)?;
    }
    starts::refuse_cycles(config)
}

impl<'a> Known<'a> {
    /// The parameters of a run: what is given, and the configured ones for the rest.
    ///
    /// # Errors
    /// As [`parameters::check`].
    pub fn parameters(&self, given: &Map<String, Value>) -> anyhow::Result<Parameters> {
        let now = jiff::Timestamp::now();
        let mut all = self.config.map(|config| days::filled(&config.parameters, now)).unwrap_or_default();
        all.extend(given.clone());
        match self.built_in {
            Some(flow) => {
                let checked = parameters::check(flow.name, flow.parameters, &all)?;
                let has_drop = self.has_source || checked.path(DROP.name).is_some();
                if !has_drop && flow.parameters.iter().any(|parameter| parameter.name == DROP.name) {
                    bail!(
                        "flow {} needs drop: a folder with one CSV or Parquet file a table; or say where the tables are, in [dataset.source.postgres]",
                        flow.name
                    );
                }
                Ok(checked)
            }
            None => Ok(Parameters::of_run(&Value::Object(all))),
        }
    }

    /// The parameters of a run that a schedule starts at `time`.
    ///
    /// # Errors
    /// As [`parameters::check`].
    pub fn parameters_at(&self, time: jiff::Timestamp) -> anyhow::Result<Parameters> {
        let given = self.config.map(|config| days::filled(&config.parameters, time)).unwrap_or_default();
        self.parameters(&given)
    }

    /// The names of paths among the parameters.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        let table = self.built_in.map_or(&[][..], |flow| flow.parameters);
        table.iter().filter(|parameter| parameter.kind == super::Kind::Path).map(|parameter| parameter.name)
    }

    /// The month that a run of these parameters is about.
    pub fn period<'p>(&self, given: &'p Parameters) -> Option<&'p str> {
        match self.built_in {
            Some(flow) => flow.period.and_then(|name| given.text(name)),
            None => given.text("as_of"),
        }
    }

    /// The name of the parameter that says which month a run is about.
    pub fn period_parameter(&self) -> Option<&'static str> {
        self.built_in.map_or(Some("as_of"), |flow| flow.period)
    }

    pub fn policy(&self) -> anyhow::Result<Policy> {
        let Some(config) = self.config else { return Ok(Policy::default()) };
        Ok(Policy {
            step_retries: config.step_retries as usize,
            run_retries: config.retries.into(),
            delays: config.delays()?,
            timeout: config.timeout()?,
            cache_for: config.cache_for()?,
        })
    }

    pub fn schedule(&self) -> anyhow::Result<Option<Schedule>> {
        let text = self.config.and_then(|config| config.schedule.as_ref());
        Ok(text.map(|text| text.parse()).transpose()?)
    }

    /// Runs the steps.
    pub async fn run(&self, run: &mut FlowRun) -> anyhow::Result<Ended> {
        match (self.built_in, self.config) {
            (Some(flow), _) => (flow.body)(run).await,
            (None, Some(config)) => own::steps(run, self.name, config).await,
            (None, None) => bail!("there is no flow {}", self.name),
        }
    }

    pub fn describe(&self) -> Description<'a> {
        let config = self.config;
        let doc = config.and_then(|config| config.doc.as_deref());
        let schedule = self.schedule().ok().flatten().map(|schedule| schedule.describe());
        Description {
            name: self.name,
            doc: doc.or(self.built_in.map(|flow| flow.doc)).unwrap_or("A flow of the configuration"),
            parameters: self.built_in.map_or(&[], |flow| flow.parameters),
            steps: config
                .map(|config| config.steps.iter().map(|step| step.name()).collect())
                .unwrap_or_default(),
            schedule,
            on: config.map(|config| config.on.as_slice()).unwrap_or_default(),
            watch: config.and_then(|config| config.watch.as_ref()).map(|path| path.display().to_string()),
        }
    }
}
