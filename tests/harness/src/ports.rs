//! Ports that no process uses.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

/// How many ports a mesh may use, from its base on.
const SPAN: u16 = 100;
/// Below the range from which the system takes ports for outgoing connections (32768 on Linux), so that none of them is taken
/// between the check and its use.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// The first of [`SPAN`] consecutive free ports.
///
/// # Panics
/// If there are none.
pub fn free_base() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let blocks = (RANGE.end - RANGE.start) / SPAN;
    // Test processes that run at the same time start their search at different ports.
    let offset = u16::try_from(std::process::id() % u32::from(blocks)).unwrap_or(0);
    for _ in 0..blocks {
        let block = (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % blocks;
        let base = RANGE.start + block * SPAN;
        if (base..base + SPAN).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
    panic!("no {SPAN} free ports in a row between {RANGE:?}");
}
