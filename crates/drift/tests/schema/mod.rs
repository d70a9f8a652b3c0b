//! Holds JSON against the schemas in `docs`.

use serde_json::Value;

/// What of JSON Schema the schemas in `docs` use: type, properties, required, items, enum, const, minimum, $ref, anyOf.
pub fn violations(schema: &Value, root: &Value, value: &Value, path: &str) -> Vec<String> {
    if let Some(target) = schema["$ref"].as_str() {
        let target =
            root.pointer(target.trim_start_matches('#')).unwrap_or_else(|| panic!("{target} is defined"));
        return violations(target, root, value, path);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let none = any.iter().all(|option| !violations(option, root, value, path).is_empty());
        return if none { vec![format!("{path}: no alternative matches {value}")] } else { Vec::new() };
    }
    let mut found = Vec::new();
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_of = |name: &str| kind == name || kind == "integer" && name == "number";
    if !types.is_empty() && !types.iter().any(|name| is_of(name)) {
        found.push(format!("{path}: {kind}, expected {types:?}"));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{path}: {value} is not in the enum"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        found.push(format!("{path}: {value} is not the constant"));
    }
    if schema["minimum"].as_f64().zip(value.as_f64()).is_some_and(|(least, value)| value < least) {
        found.push(format!("{path}: {value} is too small"));
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object()) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{path}: {name} is missing"));
            }
        }
        for (name, value) in object {
            match properties.get(name) {
                Some(schema) => found.extend(violations(schema, root, value, &format!("{path}/{name}"))),
                None => found.push(format!("{path}: {name} is not in the schema")),
            }
        }
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (i, item) in list.iter().enumerate() {
            found.extend(violations(items, root, item, &format!("{path}/{i}")));
        }
    }
    found
}
