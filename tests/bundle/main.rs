//! The observability parts as they are deployed, beside a mesh that runs on this machine: the real Collector, Jaeger,
//! Prometheus and Alertmanager. `.ci/run` starts them; `tests/README.md` says how to start them by hand.

mod alerts;
mod compose;
mod lens;
mod metrics;
mod otlp;
mod panels;
mod sampling;
mod secrets;
mod stack;
mod traces;
