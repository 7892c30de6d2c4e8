//! The rules of the mesh, compiled in: those that a Prometheus beside it evaluates.

/// Name and text of each file, in the order of their evaluation.
pub(super) const FILES: [(&str, &str); 2] = [
    ("recording.yaml", include_str!("../../../../grafana/rules/recording.yaml")),
    ("alerts.yaml", include_str!("../../../../grafana/rules/alerts.yaml")),
];
