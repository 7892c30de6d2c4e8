//! Who a process is.

/// The service that a process runs.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The service's name: its profile in `mesh.toml`, and `service.name` in all telemetry.
    pub name: &'static str,
    /// The service's version.
    pub version: &'static str,
    /// The commit that it was built from; `unknown` without one.
    pub revision: &'static str,
    /// The names of all services: each may have a profile in the same file and environment.
    pub services: &'static [&'static str],
}
