//! What is asked of Prometheus: every query of every dashboard, by name.
