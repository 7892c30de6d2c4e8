//! Limits that a server in one process needs against its clients: memory, connections, log lines.
//!
//! ```text
//!  MemoryBudget     a lease for each large message; a stalled lease is revoked when others wait
//!  ConnectionSlots  a slot for each connection; the most silent one gives way to a new one
//!  LogLimit         a few log lines of one kind in ten seconds; the others are counted
//! ```

mod connection_slots;
mod log_limit;
mod memory_budget;

pub use connection_slots::{ConnectionSlot, ConnectionSlots};
pub use log_limit::{LogLimit, printable};
pub use memory_budget::{Lease, MemoryBudget, UNLEASED};
