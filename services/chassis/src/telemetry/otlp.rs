//! OTLP's messages, for services that take telemetry from others, and their form in JSON.
//! <https://opentelemetry.io/docs/specs/otlp/>

pub mod json;

pub use opentelemetry_proto::tonic::{
    common::v1 as common, logs::v1 as logs, resource::v1 as resource, trace::v1 as trace,
};
