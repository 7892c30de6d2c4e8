//! A process that does not run for a while.

use crate::mesh::{Mesh, signal};

/// A service's process that was stopped; it goes on when this is dropped.
pub struct Paused(u32);

impl Mesh {
    /// Stops one service's process: it keeps its connections, and answers nobody.
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
