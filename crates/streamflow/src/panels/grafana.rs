//! A dashboard as Grafana 11 provisions it (schema version 39).

use serde_json::{Value, json};

use super::{Color, Dashboard, Kind, Panel, Threshold, Unit};

/// Heights in Grafana's grid: of a heading, of a status value, of a drawing.
const HEADING: u64 = 1;
const STAT: u64 = 4;
const DRAWING: u64 = 8;
const COLUMNS: u64 = 24;

/// The JSON of a dashboard, with a newline at the end.
pub fn dashboard(dashboard: &Dashboard) -> String {
    let value = json!({
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["streamflow"],
        "schemaVersion": 39,
        "version": 1,
        "editable": false,
        "graphTooltip": 1,
        "refresh": "10s",
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "current": {"selected": false, "text": "StreamFlow", "value": "streamflow"},
            "hide": 0,
            "includeAll": false,
            "multi": false,
            "options": [],
            "refresh": 1,
            "regex": "",
            "skipUrlSync": false,
        }]},
        "annotations": {"list": []},
        "links": [],
        "panels": panels(dashboard),
    });
    let mut text = serde_json::to_string_pretty(&value).expect("a dashboard is strings, numbers and lists");
    text.push('\n');
    text
}

/// All panels in their places: a heading for each row, its panels from the left, wrapped.
fn panels(dashboard: &Dashboard) -> Vec<Value> {
    let (mut panels, mut y) = (Vec::new(), 0);
    for row in &dashboard.rows {
        panels.push(json!({
            "id": panels.len() + 1,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": HEADING},
            "panels": [],
        }));
        y += HEADING;
        let (mut x, mut tallest) = (0, 0);
        for drawn in &row.panels {
            let width = u64::from(drawn.width);
            if x + width > COLUMNS {
                (x, y, tallest) = (0, y + tallest, 0);
            }
            let height = if drawn.kind == Kind::Stat { STAT } else { DRAWING };
            let place = json!({"x": x, "y": y, "w": width, "h": height});
            panels.push(panel(drawn, panels.len() + 1, place));
            (x, tallest) = (x + width, tallest.max(height));
        }
        y += tallest;
    }
    panels
}

fn panel(panel: &Panel, id: usize, place: Value) -> Value {
    json!({
        "id": id,
        "type": match panel.kind {
            Kind::Stat => "stat",
            Kind::Timeseries => "timeseries",
            Kind::Heatmap => "heatmap",
            Kind::Bar => "bargauge",
        },
        "title": panel.title,
        "description": panel.description,
        "datasource": datasource(),
        "gridPos": place,
        "targets": targets(panel),
        "options": options(panel),
        "fieldConfig": {"defaults": defaults(panel), "overrides": overrides(panel)},
    })
}

fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn targets(panel: &Panel) -> Vec<Value> {
    let instant = matches!(panel.kind, Kind::Stat | Kind::Bar);
    let target = |(place, target): (usize, &super::Target)| {
        json!({
            "refId": char::from(b'A' + u8::try_from(place).unwrap_or(25)).to_string(),
            "datasource": datasource(),
            "editorMode": "code",
            "expr": target.expression,
            "legendFormat": target.legend,
            "instant": instant,
            "range": !instant,
            "format": if panel.kind == Kind::Heatmap { "heatmap" } else { "time_series" },
        })
    };
    panel.targets.iter().enumerate().map(target).collect()
}

fn options(panel: &Panel) -> Value {
    let last = json!({"values": false, "calcs": ["lastNotNull"], "fields": ""});
    match panel.kind {
        Kind::Stat => json!({
            "reduceOptions": last,
            "orientation": "auto",
            "textMode": if panel.unit == Unit::String { "name" } else { "auto" },
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "wideLayout": true,
            "showPercentChange": false,
        }),
        Kind::Bar => json!({
            "reduceOptions": last,
            "orientation": "horizontal",
            "displayMode": "basic",
            "valueMode": "color",
            "namePlacement": "auto",
            "showUnfilled": true,
            "sizing": "auto",
            "minVizWidth": 8,
            "minVizHeight": 16,
            "maxVizHeight": 300,
        }),
        Kind::Timeseries => json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }),
        Kind::Heatmap => json!({
            "calculate": false,
            "yAxis": {"axisPlacement": "left", "unit": unit(panel.unit)},
            "color": {
                "mode": "scheme",
                "scheme": "Oranges",
                "steps": 64,
                "exponent": 0.5,
                "fill": "dark-orange",
                "reverse": false,
            },
            "cellGap": 1,
            "filterValues": {"le": 1e-9},
            "rowsFrame": {"layout": "auto"},
            "legend": {"show": true},
            "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": false, "showColorScale": false},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
        }),
    }
}

fn defaults(panel: &Panel) -> Value {
    let mut defaults = json!({
        // The cells of a heatmap are counts; its axis has the unit.
        "unit": unit(if panel.kind == Kind::Heatmap { Unit::Short } else { panel.unit }),
        "thresholds": {"mode": "absolute", "steps": steps(panel)},
        "noValue": panel.empty,
    });
    if let Some(bounds) = panel.bounds {
        defaults["mappings"] = mappings(bounds, panel.unit);
    }
    match panel.kind {
        Kind::Stat => {}
        Kind::Bar => defaults["min"] = json!(0),
        Kind::Heatmap => defaults["custom"] = json!({}),
        Kind::Timeseries => {
            defaults["min"] = json!(0);
            defaults["custom"] = json!({
                "drawStyle": "line",
                "lineInterpolation": "linear",
                "lineWidth": 1,
                "fillOpacity": if panel.stacked { 30 } else { 8 },
                "showPoints": "auto",
                "pointSize": 4,
                "spanNulls": false,
                "stacking": {"mode": if panel.stacked { "normal" } else { "none" }, "group": "A"},
                "axisPlacement": "auto",
                "thresholdsStyle": {"mode": if panel.lines.is_empty() { "off" } else { "line" }},
            });
        }
    }
    defaults
}

/// Values at or beyond what can be told apart, as `< 20 µs` and `> 10 s`.
fn mappings([low, high]: [f64; 2], unit: Unit) -> Value {
    json!([
        {"type": "range", "options": {"from": null, "to": low, "result": {"index": 0, "text": format!("< {}", text(low, unit))}}},
        {"type": "range", "options": {"from": high, "to": null, "result": {"index": 1, "text": format!("> {}", text(high, unit))}}},
    ])
}

/// A bound in its unit: `20 µs`.
fn text(value: f64, unit: Unit) -> String {
    let scales = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")];
    match scales.iter().find(|(scale, _)| value >= *scale).filter(|_| unit == Unit::Seconds) {
        Some((scale, name)) => format!("{} {name}", (value / scale * 1e3).round() / 1e3),
        None => value.to_string(),
    }
}

/// Hides a series that is zero throughout, from the legend too.
fn overrides(panel: &Panel) -> Value {
    if !panel.hide_zeros {
        return json!([]);
    }
    json!([{
        "matcher": {"id": "byValue", "options": {"reducer": "allIsZero", "op": "gte", "value": 0}},
        "properties": [{"id": "custom.hideFrom", "value": {"legend": true, "tooltip": true, "viz": true}}],
    }])
}

/// The steps of the colours; the lines of a drawing are steps too, since Grafana draws thresholds as lines.
fn steps(panel: &Panel) -> Vec<Value> {
    // Where the limit is a setting, or an expression decides, no constant colour would be right.
    if panel.limit.is_some() || panel.alarm.is_some() {
        return vec![json!({"color": "text", "value": null})];
    }
    let base = [Threshold { value: None, color: Color::Green }];
    let thresholds = if panel.thresholds.is_empty() { &base[..] } else { &panel.thresholds };
    let step = |threshold: &Threshold| {
        let color = match threshold.color {
            Color::Green => "green",
            Color::Yellow => "orange",
            Color::Red => "red",
        };
        json!({"color": color, "value": threshold.value})
    };
    let lines = panel.lines.iter().map(|line| json!({"color": "red", "value": line.value}));
    thresholds.iter().map(step).chain(lines).collect()
}

/// Grafana's name of a unit.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Short => "short",
        Unit::Reqps => "reqps",
        Unit::Ops => "ops",
        Unit::Percentunit => "percentunit",
        Unit::Seconds => "s",
        Unit::Bytes => "bytes",
        Unit::String => "string",
    }
}
