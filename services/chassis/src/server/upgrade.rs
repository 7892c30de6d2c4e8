//! Connections that switched to another protocol, as WebSocket does: they stay counted, and end with their port.

use std::sync::Arc;

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::connection::Connection;

/// What the new protocol of a connection keeps while it runs; a request's extension.
#[derive(Clone)]
pub(crate) struct Hold {
    connection: Arc<Connection>,
    closed: CancellationToken,
    /// The port waits until all of them are dropped.
    _open: TaskTrackerToken,
}

impl Hold {
    /// Runs the new protocol. It is dropped if the port closes the connection.
    pub(crate) async fn run(self, protocol: impl Future<Output = ()>) {
        self.connection.switched();
        self.closed.run_until_cancelled(protocol).await;
    }
}

/// Hands out the [`Hold`]s of one connection, and waits for them.
#[derive(Clone)]
pub(super) struct Upgrades {
    connection: Arc<Connection>,
    open: TaskTracker,
    closed: CancellationToken,
}

impl Upgrades {
    pub(super) fn new(connection: &Arc<Connection>) -> Self {
        let (open, closed) = (TaskTracker::new(), CancellationToken::new());
        Self { connection: Arc::clone(connection), open, closed }
    }

    pub(super) fn hold(&self) -> Hold {
        let (connection, closed) = (Arc::clone(&self.connection), self.closed.clone());
        Hold { connection, closed, _open: self.open.token() }
    }

    /// Ends the new protocol when the port drops the connection.
    pub(super) fn guard(&self) -> DropGuard {
        self.closed.clone().drop_guard()
    }

    /// Returns when the new protocol has ended, and whether there was one.
    pub(super) async fn ended(&self) -> bool {
        self.open.close();
        self.open.wait().await;
        self.connection.has_switched()
    }
}
