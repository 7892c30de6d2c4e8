//! What can reach lens.

pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod jaeger;
pub(crate) mod lens;
pub(crate) mod operate;
mod otlp;
pub(crate) mod otlp_grpc;
pub(crate) mod otlp_http;
mod params;
pub(crate) mod prometheus;
pub(crate) mod services;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod throughput;
pub(crate) mod traces;
