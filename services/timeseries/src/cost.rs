//! What data structures cost in memory, including the allocator's overhead, so that the budget is accurate.

use std::sync::Arc;

use promql::Labels;

/// The bytes that glibc's allocator takes for `bytes`: an 8 byte header, 16 byte steps, 32 bytes at least.
pub(crate) const fn allocation(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let rounded = (bytes + 8 + 15) & !15;
    if rounded < 32 { 32 } else { rounded }
}

/// The bytes of a shared allocation, which has two counters before its content.
pub(crate) const fn shared(bytes: usize) -> usize {
    allocation(bytes + 2 * size_of::<usize>())
}

/// The bytes of labels, without their texts.
pub(crate) fn labels(labels: &Labels) -> usize {
    shared(labels.len() * size_of::<(Arc<str>, Arc<str>)>())
}

/// The bytes of a hash table with `capacity` places for `size` bytes each: at most 7/8 of its buckets are used, and each has a
/// control byte.
pub(crate) fn table(capacity: usize, size: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let buckets = if capacity < 8 {
        (capacity + 1).next_power_of_two()
    } else {
        (capacity * 8 / 7).next_power_of_two()
    };
    allocation(buckets * (size + 1) + 16)
}
