//! A fast hash of bytes. It finds a known text again; it does not protect from a target that looks for collisions, which could
//! only confuse its own series.

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u128 = 0xd6e8_feb8_6659_fd93;

/// The hash of some bytes.
pub(crate) fn of(bytes: &[u8]) -> u64 {
    let mut hash = SEED ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = fold(hash ^ u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(hash ^ u64::from_le_bytes(last))
}

/// The hash of labels, from pairs sorted by name.
pub(crate) fn of_labels<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> u64 {
    let pair = |hash: u64, (name, value): (&str, &str)| {
        fold(hash.rotate_left(17) ^ of(name.as_bytes())) ^ of(value.as_bytes())
    };
    fold(pairs.fold(SEED, pair))
}

fn fold(value: u64) -> u64 {
    let wide = u128::from(value) * FACTOR;
    wide as u64 ^ (wide >> 64) as u64
}
