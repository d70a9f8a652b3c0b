//! The messages of OTLP's metrics, as far as they matter here. Alternatives stand side by side: on the wire they are
//! fields like others, and a sender sets one.
#![allow(missing_docs)]

use prost::Message;
use serde::Deserialize;

use super::json::{
    bytes_of_list, bytes_of_map, bytes_of_text, hex, int, ints, number, numbers, temporality, uint,
};

/// What one request carries.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Request {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "resource_metrics")]
    pub resource_metrics: Vec<ResourceMetrics>,
}

/// Metrics of one resource: a process, a host.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(alias = "scope_metrics")]
    pub scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

/// Metrics of one library within a resource.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Scope {
    #[prost(string, tag = "1")]
    pub name: String,
}

/// A metric; of the five kinds, one is set.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metric {
    #[prost(string, tag = "1")]
    pub name: String,
    /// In the notation of UCUM.
    #[prost(string, tag = "3")]
    pub unit: String,
    #[prost(message, optional, tag = "5")]
    pub gauge: Option<Gauge>,
    #[prost(message, optional, tag = "7")]
    pub sum: Option<Sum>,
    #[prost(message, optional, tag = "9")]
    pub histogram: Option<Histogram>,
    #[prost(message, optional, tag = "10")]
    #[serde(alias = "exponential_histogram")]
    pub exponential_histogram: Option<ExponentialHistogram>,
    #[prost(message, optional, tag = "11")]
    pub summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Gauge {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "data_points")]
    pub data_points: Vec<NumberDataPoint>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Sum {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "data_points")]
    pub data_points: Vec<NumberDataPoint>,
    /// 0 unspecified, 1 delta, 2 cumulative.
    #[prost(int32, tag = "2")]
    #[serde(alias = "aggregation_temporality", deserialize_with = "temporality")]
    pub aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    #[serde(alias = "is_monotonic")]
    pub is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Histogram {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "data_points")]
    pub data_points: Vec<HistogramDataPoint>,
    /// As that of a sum.
    #[prost(int32, tag = "2")]
    #[serde(alias = "aggregation_temporality", deserialize_with = "temporality")]
    pub aggregation_temporality: i32,
}

/// Counts in buckets whose bounds follow from a scale.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExponentialHistogram {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "data_points")]
    pub data_points: Vec<ExponentialHistogramDataPoint>,
    /// As that of a sum.
    #[prost(int32, tag = "2")]
    #[serde(alias = "aggregation_temporality", deserialize_with = "temporality")]
    pub aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "data_points")]
    pub data_points: Vec<SummaryDataPoint>,
}

/// A value, of which `as_double` or `as_int` is set.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NumberDataPoint {
    #[prost(message, repeated, tag = "7")]
    pub attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(alias = "start_time_unix_nano", deserialize_with = "uint")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "time_unix_nano", deserialize_with = "uint")]
    pub time_unix_nano: u64,
    #[prost(double, optional, tag = "4")]
    #[serde(alias = "as_double", deserialize_with = "number")]
    pub as_double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    #[serde(alias = "as_int", deserialize_with = "int")]
    pub as_int: Option<i64>,
    #[prost(message, repeated, tag = "5")]
    pub exemplars: Vec<Exemplar>,
    /// The lowest bit: no value was recorded.
    #[prost(uint32, tag = "8")]
    pub flags: u32,
}

/// Counts by bucket. `bucket_counts` has one more entry than `explicit_bounds`, or none.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HistogramDataPoint {
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(alias = "start_time_unix_nano", deserialize_with = "uint")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "time_unix_nano", deserialize_with = "uint")]
    pub time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "uint")]
    pub count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "number")]
    pub sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    #[serde(alias = "bucket_counts", deserialize_with = "ints")]
    pub bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    #[serde(alias = "explicit_bounds", deserialize_with = "numbers")]
    pub explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "8")]
    pub exemplars: Vec<Exemplar>,
    #[prost(uint32, tag = "10")]
    pub flags: u32,
}

/// Bucket `i` of the positive side counts what is above `2^(i·2^-scale)` up to `2^((i+1)·2^-scale)`.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExponentialHistogramDataPoint {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(alias = "start_time_unix_nano", deserialize_with = "uint")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "time_unix_nano", deserialize_with = "uint")]
    pub time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "uint")]
    pub count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "number")]
    pub sum: Option<f64>,
    #[prost(sint32, tag = "6")]
    pub scale: i32,
    #[prost(fixed64, tag = "7")]
    #[serde(alias = "zero_count", deserialize_with = "uint")]
    pub zero_count: u64,
    #[prost(message, optional, tag = "8")]
    pub positive: Option<ExponentialBuckets>,
    #[prost(message, optional, tag = "9")]
    pub negative: Option<ExponentialBuckets>,
    #[prost(uint32, tag = "10")]
    pub flags: u32,
    #[prost(message, repeated, tag = "11")]
    pub exemplars: Vec<Exemplar>,
}

/// The buckets of one side, one after another.
#[derive(Clone, PartialEq, Eq, Hash, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExponentialBuckets {
    /// The first one's number.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    #[prost(uint64, repeated, tag = "2")]
    #[serde(alias = "bucket_counts", deserialize_with = "ints")]
    pub bucket_counts: Vec<u64>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SummaryDataPoint {
    #[prost(message, repeated, tag = "7")]
    pub attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(alias = "start_time_unix_nano", deserialize_with = "uint")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "time_unix_nano", deserialize_with = "uint")]
    pub time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "uint")]
    pub count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "number")]
    pub sum: Option<f64>,
    #[prost(message, repeated, tag = "6")]
    #[serde(alias = "quantile_values")]
    pub quantile_values: Vec<Quantile>,
    #[prost(uint32, tag = "8")]
    pub flags: u32,
}

#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Quantile {
    #[prost(double, optional, tag = "1")]
    #[serde(deserialize_with = "number")]
    pub quantile: Option<f64>,
    #[prost(double, optional, tag = "2")]
    #[serde(deserialize_with = "number")]
    pub value: Option<f64>,
}

/// An example behind a value, of which `as_double` or `as_int` is set.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Exemplar {
    #[prost(message, repeated, tag = "7")]
    #[serde(alias = "filtered_attributes")]
    pub filtered_attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(alias = "time_unix_nano", deserialize_with = "uint")]
    pub time_unix_nano: u64,
    #[prost(double, optional, tag = "3")]
    #[serde(alias = "as_double", deserialize_with = "number")]
    pub as_double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    #[serde(alias = "as_int", deserialize_with = "int")]
    pub as_int: Option<i64>,
    #[prost(bytes = "vec", tag = "4")]
    #[serde(alias = "span_id", deserialize_with = "hex")]
    pub span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    #[serde(alias = "trace_id", deserialize_with = "hex")]
    pub trace_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

/// The value of an attribute, of which one is set. Lists and maps stay messages until they are shown, which bounds how
/// deep a request may go.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnyValue {
    #[prost(string, optional, tag = "1")]
    #[serde(alias = "string_value")]
    pub string_value: Option<String>,
    #[prost(bool, optional, tag = "2")]
    #[serde(alias = "bool_value")]
    pub bool_value: Option<bool>,
    #[prost(int64, optional, tag = "3")]
    #[serde(alias = "int_value", deserialize_with = "int")]
    pub int_value: Option<i64>,
    #[prost(double, optional, tag = "4")]
    #[serde(alias = "double_value", deserialize_with = "number")]
    pub double_value: Option<f64>,
    #[prost(bytes = "vec", optional, tag = "5")]
    #[serde(alias = "array_value", deserialize_with = "bytes_of_list")]
    pub array_value: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    #[serde(alias = "kvlist_value", deserialize_with = "bytes_of_map")]
    pub kvlist_value: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "7")]
    #[serde(alias = "bytes_value", deserialize_with = "bytes_of_text")]
    pub bytes_value: Option<Vec<u8>>,
}

/// What `array_value` holds.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(super) struct List {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<AnyValue>,
}

/// What `kvlist_value` holds.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(super) struct Map {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<KeyValue>,
}

/// What a sender is answered.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub rejected_data_points: i64,
    #[prost(string, tag = "2")]
    pub error_message: String,
}
