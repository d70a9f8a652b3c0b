//! Deployments of flows: Prefect schedules them and its workers start the binary, without Python of ours.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::server::{CallError, Server};

/// What is sent, in this order.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    pub work_pool: Value,
    pub deployments: Vec<Deployment>,
}

/// A flow and its deployment, whose `flow_id` the server gives.
#[derive(Debug, Clone, Serialize)]
pub struct Deployment {
    pub flow: String,
    pub deployment: Value,
}

/// A flow to be deployed.
#[derive(Debug, Clone)]
pub struct Flow<'a> {
    pub name: &'a str,
    pub doc: &'a str,
    /// Arguments of the binary after those that name configuration and data.
    pub arguments: Vec<String>,
    /// As Prefect has it; none for a flow that is started by hand.
    pub schedule: Option<Value>,
}

/// How the binary is started on the worker's machine.
#[derive(Debug, Clone)]
pub struct Program<'a> {
    pub binary: &'a Path,
    pub config: &'a Path,
    pub data_dir: &'a Path,
    pub working_dir: &'a Path,
}

impl Plan {
    /// What makes the flows deployments of a work pool.
    pub fn new(pool: &str, program: &Program<'_>, flows: &[Flow<'_>]) -> Self {
        let deployments = flows.iter().map(|flow| Deployment {
            flow: flow.name.to_owned(),
            deployment: json!({
                "name": "streamflow",
                "description": flow.doc,
                "work_pool_name": pool,
                // Prefect wants one, and the command in its place never reads it.
                "entrypoint": "streamflow",
                "path": program.working_dir,
                "tags": ["streamflow"],
                "schedules": flow.schedule.iter().map(|schedule| json!({ "schedule": schedule })).collect::<Vec<_>>(),
                "job_variables": { "command": program.command(flow), "working_dir": program.working_dir },
            }),
        });
        Self { work_pool: work_pool(pool), deployments: deployments.collect() }
    }

    /// Sends it. What is there already is brought up to date; a work pool that is there is left as it is.
    ///
    /// # Errors
    /// No server in the environment; one that does not answer or take it; a work pool that starts no commands of ours.
    pub async fn send(&self) -> anyhow::Result<Vec<String>> {
        let connection = super::connection()?;
        let connection = connection.context(
            "PREFECT_API_URL is not set; expected the server's API, such as http://127.0.0.1:4200/api",
        )?;
        let server = Server::new(&connection)?;
        self.make_pool(&server).await?;
        let mut made = Vec::new();
        for Deployment { flow, deployment } in &self.deployments {
            let found = server.post("flows/", &json!({ "name": flow })).await.map_err(told)?;
            let mut deployment = deployment.clone();
            deployment["flow_id"] = found["id"].clone();
            let answer = server.post("deployments/", &deployment).await.map_err(told)?;
            let id = answer["id"].as_str().context("prefect answered a deployment without its id")?;
            made.push(id.to_owned());
        }
        Ok(made)
    }

    async fn make_pool(&self, server: &Server) -> anyhow::Result<()> {
        let name = self.work_pool["name"].as_str().unwrap_or_default();
        match server.get(&format!("work_pools/{name}")).await {
            Err(CallError::Missing(_)) => {
                server.post("work_pools/", &self.work_pool).await.map_err(told)?;
                Ok(())
            }
            Err(error) => Err(told(error)),
            Ok(found) => {
                let template = &found["base_job_template"];
                let takes_command = template["job_configuration"]["command"] == "{{ command }}"
                    && template["variables"]["properties"]["command"].is_object();
                if found["type"] != "process" || !takes_command {
                    bail!(
                        "the work pool {name} is of type {} and does not start the commands of its deployments; name \
                         another with --pool, which is made when it is not there",
                        found["type"]
                    );
                }
                Ok(())
            }
        }
    }
}

fn told(error: CallError) -> anyhow::Error {
    anyhow::anyhow!("prefect: {}", error.reason())
}

impl Program<'_> {
    fn command(&self, flow: &Flow<'_>) -> String {
        let own = [
            self.binary.to_string_lossy(),
            "--config".into(),
            self.config.to_string_lossy(),
            "--data-dir".into(),
            self.data_dir.to_string_lossy(),
        ];
        let words = own.iter().map(AsRef::as_ref).chain(flow.arguments.iter().map(String::as_str));
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }
}

/// A word as a shell, and Python's `shlex`, read it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\"'\"'")),
    }
}

/// A pool of processes whose deployments say which command is started.
fn work_pool(name: &str) -> Value {
    let text = |title: &str, description: &str| json!({ "title": title, "description": description, "type": "string" });
    json!({
        "name": name,
        "type": "process",
        "description": "Starts StreamFlow's flows on the worker's machine",
        "base_job_template": {
            "job_configuration": {
                "command": "{{ command }}",
                "env": "{{ env }}",
                "labels": "{{ labels }}",
                "name": "{{ name }}",
                "stream_output": "{{ stream_output }}",
                "working_dir": "{{ working_dir }}",
            },
            "variables": { "type": "object", "properties": {
                "command": text("Command", "The command that runs the flow."),
                "working_dir": text("Working Directory", "The folder in which it runs."),
                "name": text("Name", "Name of the process."),
                "env": {
                    "title": "Environment Variables", "type": "object", "additionalProperties": { "type": "string" },
                },
                "labels": { "title": "Labels", "type": "object", "additionalProperties": { "type": "string" } },
                "stream_output": {
                    "title": "Stream Output", "type": "boolean", "default": true,
                    "description": "Whether the worker prints what the process prints.",
                },
            }},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_the_command_as_a_shell_reads_it() {
        let program = Program {
            binary: Path::new("/opt/streamflow"),
            config: Path::new("/srv/my shop/streamflow.toml"),
            data_dir: Path::new("/srv/d'ata"),
            working_dir: Path::new("/srv/my shop"),
        };
        let flow = Flow {
            name: "monitor_month",
            doc: "Compare",
            arguments: ["flows", "run", "monitor_month", "--param", "threshold=0.3"]
                .map(str::to_owned)
                .into(),
            schedule: Some(json!({ "cron": "0 6 1 * *", "timezone": "Europe/Paris" })),
        };
        let by_hand = Flow { schedule: None, ..flow.clone() };
        let plan = Plan::new("streamflow", &program, &[flow, by_hand]);
        let deployments: Vec<&Value> = plan.deployments.iter().map(|made| &made.deployment).collect();
        assert_eq!(
            deployments[0]["job_variables"]["command"],
            "/opt/streamflow --config '/srv/my shop/streamflow.toml' --data-dir '/srv/d'\"'\"'ata' flows run monitor_month \
             --param threshold=0.3"
        );
        assert_eq!(deployments[0]["schedules"][0]["schedule"]["cron"], "0 6 1 * *");
        assert_eq!(deployments[1]["schedules"], json!([]));
        assert_eq!(plan.work_pool["base_job_template"]["job_configuration"]["command"], "{{ command }}");
    }
}
