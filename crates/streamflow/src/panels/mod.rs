//! The one list of dashboard panels: the console draws it, Grafana's JSON is generated from it.

mod grafana;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A dashboard: rows of panels from top to bottom.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Fixed for ever: links and Grafana's stars name it.
    pub uid: String,
    pub title: String,
    pub description: String,
    pub rows: Vec<Row>,
}

/// Panels under one heading, from left to right on 24 columns, wrapped.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PanelRow)]
pub struct Row {
    pub title: String,
    pub panels: Vec<Panel>,
}

/// One drawing.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    pub kind: Kind,
    pub title: String,
    /// What it shows; whole sentences.
    pub description: String,
    /// What stands in its place without data: what is absent, and the command that brings it.
    pub empty: String,
    pub unit: Unit,
    /// Width in the grid of 24 columns.
    pub width: u8,
    /// Series are drawn on top of each other.
    #[serde(default)]
    pub stacked: bool,
    /// Colours and the value from which each holds; ascending, the first without a value.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// Horizontal lines.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Lowest and highest value that can be told apart, such as the outer bounds of a histogram's buckets: at
    /// or beyond them `< bound` and `> bound` are shown.
    #[serde(default)]
    #[schema(value_type = Option<Vec<f64>>, min_items = 2, max_items = 2)]
    pub bounds: Option<[f64; 2]>,
    /// PromQL for the value from which on a `stat` is red, where it is a setting and no constant.
    #[serde(default)]
    pub limit: Option<String>,
    /// PromQL for whether a `stat` is red, where that is more than a matter of its value: red where it gives anything
    /// but 0.
    #[serde(default)]
    pub alarm: Option<String>,
    /// A series that is zero throughout is left out.
    #[serde(default)]
    pub hide_zeros: bool,
    pub targets: Vec<Target>,
}

/// How a panel is drawn. `stat` and `bar` show the present value alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PanelKind)]
pub enum Kind {
    Stat,
    Timeseries,
    Heatmap,
    Bar,
}

/// What a panel's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    Short,
    /// Requests a second.
    Reqps,
    /// Operations a second.
    Ops,
    /// A share, 0 to 1.
    Percentunit,
    Seconds,
    Bytes,
    /// The legend is what is read, not the value.
    String,
}

/// A colour from a value on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    #[serde(default)]
    pub value: Option<f64>,
    pub color: Color,
}

/// The three colours of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    Green,
    Yellow,
    Red,
}

/// A horizontal line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PanelLine)]
pub struct Line {
    pub value: f64,
    pub label: String,
}

/// One expression of a panel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PanelTarget)]
pub struct Target {
    /// PromQL; `$__rate_interval` stands for four scrape intervals or more.
    pub expression: String,
    /// `{{label}}` is the label's value.
    #[serde(default)]
    pub legend: String,
}

/// A dashboard's file below `dashboards/` and its text.
static SOURCES: [(&str, &str); 2] = [
    ("service", include_str!("../../dashboards/service.toml")),
    ("model_drift", include_str!("../../dashboards/model_drift.toml")),
];

/// All dashboards, the overview first.
pub fn dashboards() -> Vec<Dashboard> {
    let read = |(_, text): &(&str, &str)| toml::from_str(text).expect("a test reads every dashboard");
    SOURCES.iter().map(read).collect()
}

/// All dashboards as Grafana reads them: file name and JSON.
pub fn grafana_files() -> Vec<(String, String)> {
    let names = SOURCES.iter().map(|(name, _)| format!("{name}.json"));
    names.zip(dashboards().iter().map(grafana::dashboard)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panel_can_be_read() {
        for dashboard in dashboards() {
            for panel in dashboard.rows.iter().flat_map(|row| &row.panels) {
                let here = format!("{} / {}", dashboard.title, panel.title);
                assert!(panel.description.ends_with('.') && panel.empty.ends_with('.'), "{here}");
                assert!((1..=24).contains(&panel.width), "{here}");
                assert!(!panel.targets.is_empty(), "{here}");
                let values: Vec<_> = panel.thresholds.iter().map(|threshold| threshold.value).collect();
                assert!(
                    values.iter().skip(1).all(Option::is_some) && values.is_sorted_by(|a, b| a < b),
                    "{here}"
                );
                assert!(panel.bounds.is_none_or(|[low, high]| low < high), "{here}");
                for expression in panel
                    .targets
                    .iter()
                    .map(|target| &target.expression)
                    .chain(&panel.limit)
                    .chain(&panel.alarm)
                {
                    let expression = expression.replace("$__rate_interval", "1m");
                    if let Err(error) = streamflow_promql::parse(&expression) {
                        panic!("{here}: {expression}: {error}");
                    }
                }
            }
        }
    }

    /// One quantity has one window: what is said of requests as a number is said of five minutes everywhere.
    #[test]
    fn tiles_and_lines_look_at_the_same_window() {
        for panel in dashboards().iter().flat_map(|dashboard| &dashboard.rows).flat_map(|row| &row.panels) {
            let of_requests = |expression: &str| {
                ["api_re", "streamflow_request", "predictions_"]
                    .iter()
                    .any(|start| expression.contains(start))
            };
            for target in panel.targets.iter().filter(|target| of_requests(&target.expression)) {
                let fluid = target.expression.contains("$__rate_interval");
                assert!(!fluid || panel.kind == Kind::Heatmap, "{}: {}", panel.title, target.expression);
            }
        }
    }

    /// `streamflow dashboards export --out crates/streamflow/templates/grafana` writes them anew.
    #[test]
    fn the_templates_are_what_is_generated() {
        let templates = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/grafana/dashboards");
        for (name, json) in grafana_files() {
            let there = std::fs::read_to_string(format!("{templates}/{name}")).unwrap_or_default();
            assert!(there == json, "{name} is out of date: run `streamflow dashboards export`");
        }
    }
}
