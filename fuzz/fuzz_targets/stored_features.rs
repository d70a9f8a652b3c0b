//! Any bytes as what a feature store holds of an entity, and as a body of pushed features: values or an error.
#![no_main]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use streamflow::api::pushed::Columns;
use streamflow::feature_store::{Value, feast_bytes, own_layout};
use streamflow_dataset::{ColumnType, EntityKey};

static KEY: LazyLock<EntityKey> = LazyLock::new(|| EntityKey::new("user_id"));
static COLUMNS: LazyLock<Columns> = LazyLock::new(|| Columns {
    features: [
        ("fee", ColumnType::Float),
        ("age", ColumnType::Integer),
        ("plan", ColumnType::String),
        ("is_new", ColumnType::Boolean),
    ]
    .map(|(name, kind)| (Arc::from(name), kind))
    .into(),
    key: vec![ColumnType::String],
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Value::Number(number)) = feast_bytes::value(bytes) {
        assert!(number.is_finite(), "{number}");
    }
    let _ = feast_bytes::time_ms(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(value) = own_layout::read(text) {
            assert_eq!(own_layout::read(&own_layout::written(&value)), Ok(value));
        }
        let fields = text.lines().filter_map(|line| line.split_once('='));
        let fields: HashMap<String, String> =
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let _ = own_layout::found(fields);
    }
    if let Ok(values) = COLUMNS.read(bytes, &KEY) {
        assert!(values.iter().all(|value| value.number.is_none_or(f64::is_finite)));
    }
});
