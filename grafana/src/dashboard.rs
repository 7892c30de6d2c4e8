//! A dashboard: rows of panels, variables, links, annotations.

/// One dashboard.
pub struct Dashboard;

impl Dashboard {
    /// What links point to; never changes.
    pub fn uid(&self) -> &str {
        ""
    }

    /// The model as Grafana reads it.
    pub fn to_json(&self) -> String {
        String::new()
    }
}
