//! What is deployed to look at the mesh with, as it is deployed, beside a mesh that runs here: the real Collector, Jaeger,
//! Prometheus and Alertmanager. `.ci/run` starts them; `tests/README.md` says how by hand.

mod alerts;
mod compose;
mod metrics;
mod otlp;
mod panels;
mod sampling;
mod secrets;
mod stack;
mod traces;
