//! What data structures cost in memory, including the allocator's overhead and empty slots, so that the budget is accurate.

/// The bytes that glibc's allocator takes for `bytes`: an 8 byte header, 16 byte steps, 32 bytes at least.
pub(crate) const fn allocation(bytes: usize) -> usize {
    if bytes == 0 {
        return 0;
    }
    let rounded = (bytes + 8 + 15) & !15;
    if rounded < 32 { 32 } else { rounded }
}

/// The bytes that a `std` hash table with room for `capacity` entries takes: the number of buckets is a power of two, at most 7/8
/// of them are used, and each has a control byte.
pub(crate) const fn table<T>(capacity: usize) -> usize {
    if capacity == 0 {
        return 0;
    }
    let buckets = if capacity < 8 {
        (capacity + 1).next_power_of_two()
    } else {
        (capacity * 8 / 7).next_power_of_two()
    };
    allocation(buckets * (size_of::<T>() + 1) + 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_costs_all_its_buckets() {
        assert_eq!(table::<u64>(0), 0);
        assert_eq!(table::<u64>(28), allocation(32 * 9 + 16));
        assert_eq!(table::<u64>(57_344), allocation(65_536 * 9 + 16));
    }
}
