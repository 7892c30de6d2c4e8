//! A column of values in few bytes.
//!
//! The first byte says how the next value is predicted. Then follow tokens, each a variable-length number (seven bits a byte). If its
//! lowest bit is set, it is a run: the next two bits say of what (values as predicted, no samples, staleness markers), the rest is the
//! length minus one. If not, it is one value: for integers the difference from the prediction, alternating between positive and
//! negative ones (zigzag); for other numbers a byte with the position of the bytes that differ from the last value, and these bytes.

use promql::STALE;

/// Marks that a series has no sample in a row. It is a NaN that no sample has, because NaNs are unified when they are stored.
pub(crate) const ABSENT: u64 = 0x7ff4_0000_0000_0001;

/// How the next value is predicted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Integers: it is the last one.
    Last,
    /// Integers: it is as much greater than the last one as that was than the one before.
    Slope,
    /// Any bits: they are the last ones.
    Bits,
}

const MODES: [Mode; 3] = [Mode::Last, Mode::Slope, Mode::Bits];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    Predicted,
    Absent,
    Stale,
}

const RUNS: [Run; 3] = [Run::Predicted, Run::Absent, Run::Stale];

/// Appends a column to `out`, in the shortest of the encodings.
pub(crate) fn encode(values: &[u64], out: &mut Vec<u8>) {
    if !values.iter().all(|bits| is_marker(*bits) || integer(*bits).is_some()) {
        return encode_as(Mode::Bits, values, out);
    }
    let start = out.len();
    encode_as(Mode::Last, values, out);
    let middle = out.len();
    encode_as(Mode::Slope, values, out);
    if out.len() - middle < middle - start {
        out.drain(start..middle);
    } else {
        out.truncate(middle);
    }
}

/// Appends the `count` values of a column to `out`; `None` if the bytes are not such a column.
pub(crate) fn decode(bytes: &[u8], count: usize, out: &mut Vec<u64>) -> Option<()> {
    let (mode, mut bytes) = bytes.split_first()?;
    let mut state = State::new(*MODES.get(usize::from(*mode))?);
    let mut missing = count;
    while missing > 0 {
        let token = take_number(&mut bytes)?;
        if token & 1 == 0 {
            out.push(state.read(token >> 1, &mut bytes)?);
            missing -= 1;
            continue;
        }
        let length = usize::try_from(token >> 3).ok()?.checked_add(1)?;
        missing = missing.checked_sub(length)?;
        match RUNS.get((token >> 1 & 3) as usize)? {
            Run::Predicted if state.step == 0 => {
                out.resize(out.len() + length, state.bits_of(state.last))
            }
            Run::Predicted => {
                for _ in 0..length {
                    state.pass(Run::Predicted);
                    out.push(state.bits_of(state.last));
                }
            }
            Run::Absent => {
                state.pass(Run::Absent);
                out.resize(out.len() + length, ABSENT);
            }
            Run::Stale => {
                state.pass(Run::Stale);
                out.resize(out.len() + length, STALE.to_bits());
            }
        }
    }
    bytes.is_empty().then_some(())
}

fn encode_as(mode: Mode, values: &[u64], out: &mut Vec<u8>) {
    out.push(mode as u8);
    let mut state = State::new(mode);
    let mut rest = values;
    while let Some(first) = rest.first() {
        let Some(run) = state.run_of(*first) else {
            state.write(*first, out);
            rest = &rest[1..];
            continue;
        };
        let mut length = 0;
        while rest.get(length).is_some_and(|bits| state.run_of(*bits) == Some(run)) {
            state.pass(run);
            length += 1;
        }
        put_number((length as u64 - 1) << 3 | (run as u64) << 1 | 1, out);
        rest = &rest[length..];
    }
}

/// What the prediction is made from.
struct State {
    mode: Mode,
    /// The last value: an integer, or its bits.
    last: i64,
    /// The difference between the last two values, if it is expected again.
    step: i64,
    /// Whether the last value was the one just before.
    is_adjacent: bool,
}

impl State {
    fn new(mode: Mode) -> Self {
        Self { mode, last: 0, step: 0, is_adjacent: false }
    }

    fn next(&self) -> i64 {
        self.last.wrapping_add(self.step)
    }

    fn bits_of(&self, value: i64) -> u64 {
        if self.mode == Mode::Bits { value as u64 } else { (value as f64).to_bits() }
    }

    /// The run that a value can begin or continue.
    fn run_of(&self, bits: u64) -> Option<Run> {
        match bits {
            ABSENT => Some(Run::Absent),
            _ if bits == STALE.to_bits() => Some(Run::Stale),
            _ => (bits == self.bits_of(self.next())).then_some(Run::Predicted),
        }
    }

    /// Goes on by one value of a run.
    fn pass(&mut self, run: Run) {
        match run {
            Run::Predicted => self.last = self.next(),
            Run::Absent | Run::Stale => (self.step, self.is_adjacent) = (0, false),
        }
    }

    fn set(&mut self, value: i64) {
        if self.mode == Mode::Slope && self.is_adjacent {
            self.step = value.wrapping_sub(self.last);
        }
        (self.last, self.is_adjacent) = (value, true);
    }

    fn write(&mut self, bits: u64, out: &mut Vec<u8>) {
        let value = if self.mode == Mode::Bits {
            write_difference(bits ^ self.last as u64, out);
            bits as i64
        } else {
            let value = f64::from_bits(bits) as i64;
            put_number(zigzag(value.wrapping_sub(self.next())) << 1, out);
            value
        };
        self.set(value);
    }

    fn read(&mut self, token: u64, bytes: &mut &[u8]) -> Option<u64> {
        let value = if self.mode == Mode::Bits {
            self.last ^ read_difference(token, bytes)? as i64
        } else {
            self.next().wrapping_add(unzigzag(token))
        };
        self.set(value);
        Some(self.bits_of(value))
    }
}

/// Writes bits of which few bytes are not zero.
fn write_difference(difference: u64, out: &mut Vec<u8>) {
    let first = difference.trailing_zeros().min(56) / 8;
    let length = (8 - difference.leading_zeros() / 8 - first).max(1);
    put_number(u64::from(first | (length - 1) << 3) << 1, out);
    out.extend_from_slice(&(difference >> (8 * first)).to_le_bytes()[..length as usize]);
}

fn read_difference(token: u64, bytes: &mut &[u8]) -> Option<u64> {
    let (first, length) = ((token & 7) as u32, (token >> 3 & 7) as usize + 1);
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let mut difference = [0; 8];
    difference[..length].copy_from_slice(taken);
    Some(u64::from_le_bytes(difference) << (8 * first))
}

/// The integer that a double is, if it is one without loss; negative zero is none.
fn integer(bits: u64) -> Option<i64> {
    const LARGEST: u64 = 1 << 53;
    let integer = f64::from_bits(bits) as i64;
    (integer.unsigned_abs() <= LARGEST && (integer as f64).to_bits() == bits).then_some(integer)
}

fn is_marker(bits: u64) -> bool {
    bits == ABSENT || bits == STALE.to_bits()
}

const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends a number, seven bits a byte, the lowest first; all bytes but the last have their highest bit set.
pub(crate) fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number from the beginning of the bytes.
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(values: &[f64]) -> usize {
        let bits: Vec<_> = values.iter().map(|value| value.to_bits()).collect();
        let mut bytes = Vec::new();
        encode(&bits, &mut bytes);
        let mut decoded = Vec::new();
        decode(&bytes, bits.len(), &mut decoded).unwrap();
        assert_eq!(decoded, bits);
        bytes.len()
    }

    #[test]
    fn values_that_do_not_change_take_no_space() {
        assert!(size(&[42.0; 128]) <= 5);
        assert!(size(&[0.1; 128]) <= 12);
        assert!(size(&[f64::from_bits(ABSENT); 128]) <= 3);
        let steady: Vec<_> = (0..128).map(|row| 1e9 + f64::from(row) * 100.0).collect();
        assert!(size(&steady) <= 12, "{}", size(&steady));
    }

    #[test]
    fn a_busy_counter_takes_one_byte_a_value() {
        let busy: Vec<_> = (0..128).map(|row| f64::from(row * 100 + row * 7919 % 20)).collect();
        assert!(size(&busy) <= 140, "{}", size(&busy));
    }

    /// All kinds of bit patterns, and runs of them.
    fn column() -> impl Strategy<Value = Vec<u64>> {
        let counter = (0_u64..100_000).prop_map(|count| (count as f64).to_bits());
        let value = prop_oneof![
            any::<u64>(),
            counter,
            any::<f64>().prop_map(f64::to_bits),
            any::<i64>().prop_map(|value| (value as f64).to_bits()),
            prop::sample::select(vec![
                ABSENT,
                STALE.to_bits(),
                (-0.0_f64).to_bits(),
                f64::NAN.to_bits(),
                f64::INFINITY.to_bits(),
                9_007_199_254_740_992_f64.to_bits(),
                (-9_007_199_254_740_993_f64).to_bits(),
            ]),
        ];
        let integers = (-1000_i64..1000).prop_map(|value| (value as f64).to_bits());
        let runs = |value: BoxedStrategy<u64>| {
            prop::collection::vec((value, 1_usize..40), 0..30).prop_map(|runs| {
                runs.iter().flat_map(|(bits, times)| vec![*bits; *times]).collect()
            })
        };
        prop_oneof![runs(value.boxed()), runs(integers.boxed())]
    }

    proptest! {
        #[test]
        fn every_column_is_decoded_as_it_was(values in column()) {
            let (mut bytes, mut decoded) = (vec![7], Vec::new());
            encode(&values, &mut bytes);
            prop_assert_eq!(decode(&bytes[1..], values.len(), &mut decoded), Some(()));
            prop_assert_eq!(decoded, values);
        }

        #[test]
        fn damaged_columns_are_refused_or_have_the_right_length(
            bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0_usize..500,
        ) {
            let mut decoded = Vec::new();
            if decode(&bytes, count, &mut decoded).is_some() {
                prop_assert_eq!(decoded.len(), count);
            }
            prop_assert!(decoded.len() <= count);
        }
    }
}
