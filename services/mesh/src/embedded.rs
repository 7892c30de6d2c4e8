//! The embedded brokers: in the supervisor's process, in memory, for one machine and for trying the mesh out.
//!
//! They speak the real protocols over TCP, so the services do not know the difference.

mod complaints;
pub mod kafka;
mod memory;
pub mod nats;
mod seats;
