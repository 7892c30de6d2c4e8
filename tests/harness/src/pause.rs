//! A process that is suspended for a while.

use crate::mesh::{Mesh, signal};

/// A suspended process of a service; it continues when this is dropped.
pub struct Paused(u32);

impl Mesh {
    /// Suspends one service's process with SIGSTOP: it keeps its connections, but answers no request.
    pub async fn pause(&self, name: &str) -> Paused {
        let pid = self.service(name).await.pid.unwrap_or_default();
        signal("STOP", pid);
        Paused(pid)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        signal("CONT", self.0);
    }
}
