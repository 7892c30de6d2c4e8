//! Tests in which a process profiles itself.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::{
    hint::black_box,
    io::Read as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use prost::Message;

/// The part of a profile that the tests read.
#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(int64, tag = "12")]
    period: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    text: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
}

/// A thread, a stack of it with the innermost function first, and the number of samples.
#[derive(Debug)]
struct Stack {
    thread: String,
    functions: Vec<String>,
    samples: i64,
}

fn decode(profile: &[u8]) -> (Profile, Vec<Stack>) {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(profile).read_to_end(&mut bytes).expect("it is gzipped");
    let profile = Profile::decode(&bytes[..]).expect("it is a profile");
    let text = |number: i64| profile.string_table[number as usize].clone();
    let function = |id: &u64| {
        let location =
            profile.location.iter().find(|location| location.id == *id).expect("it is there");
        let id = location.line[0].function_id;
        text(profile.function.iter().find(|function| function.id == id).expect("it is there").name)
    };
    let stacks = profile.sample.iter().map(|sample| Stack {
        thread: text(sample.label[0].text),
        functions: sample.location_id.iter().map(function).collect(),
        samples: sample.value[0],
    });
    let stacks = stacks.collect();
    (profile, stacks)
}

#[inline(never)]
fn knit(rows: u64) -> u64 {
    black_box((0..rows).fold(1, |wool, row| black_box(wool ^ row).rotate_left(7)))
}

#[inline(never)]
fn knit_a_scarf() -> u64 {
    black_box(knit(100_000)) + 1
}

/// A thread that works until this is dropped.
struct Busy {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Busy {
    fn with(name: &str, work: fn() -> u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move || {
            while !stopped.load(Relaxed) {
                black_box(work());
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work).expect("a thread");
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Serializes the tests: a process can take one profile at a time.
static TURN: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

/// Records until this process has used a second of CPU time, however long that takes on a busy machine.
fn a_second_of_work() -> Vec<u8> {
    let begun = processor_time();
    let used = || processor_time() - begun >= 100;
    profiler::record(Duration::from_secs(600), used).expect("a profile")
}

/// The CPU time of this process in hundredths of a second.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The process' name may contain spaces; it is in parentheses.
    let fields = stat.rsplit(')').next().expect("a rest").split_ascii_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
    line.trim().trim_end_matches(" kB").parse::<i64>().expect("a number") * 1024
}

#[test]
fn most_samples_are_of_the_busy_function_and_know_its_callers_and_its_thread() {
    let _turn = TURN.lock();
    let _busy = Busy::with("knitter", knit_a_scarf);
    let (profile, stacks) = decode(&a_second_of_work());
    let samples: i64 = stacks.iter().map(|stack| stack.samples).sum();
    let knitting = stacks.iter().filter(|stack| {
        let at = stack.functions.iter().position(|name| name.ends_with("::knit"));
        let caller = stack.functions.iter().position(|name| name.ends_with("::knit_a_scarf"));
        let begin =
            stack.functions.iter().any(|name| name.contains("start") || name.contains("clone"));
        stack.thread == "knitter" && at.is_some() && at < caller && begin
    });
    let knitting: i64 = knitting.map(|stack| stack.samples).sum();
    assert!((50..200).contains(&samples), "{samples} samples of a second of work");
    assert!(knitting * 10 > samples * 9, "{knitting} of {samples}: {stacks:#?}");
    let kinds = profile.sample_type.iter().map(|kind| &*profile.string_table[kind.kind as usize]);
    assert_eq!(kinds.collect::<Vec<_>>(), ["samples", "cpu"]);
    assert_eq!(profile.period, 1_000_000_000 / i64::from(profiler::FREQUENCY));
    assert!(profile.duration_nanos > 0);
}

#[test]
fn a_second_profile_is_refused_while_one_is_taken() {
    let _turn = TURN.lock();
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let (began, begun) = mpsc::channel();
    let first = thread::spawn(move || {
        profiler::record(Duration::from_secs(60), || {
            // The function is called often; the test waits for the first call.
            began.send(()).is_err() || stop.load(Relaxed)
        })
    });
    begun.recv().unwrap();
    let nothing = || profiler::record(Duration::ZERO, || false);
    assert!(matches!(nothing(), Err(profiler::Error::Busy)));
    done.store(true, Relaxed);
    let (profile, _) = decode(&first.join().unwrap().unwrap());
    assert!(profile.duration_nanos < 60_000_000_000, "it did not end when it was cancelled");
    nothing().unwrap();
}

/// Several profiles of a process with busy threads take no more memory than one, and all of it is returned.
#[test]
fn the_memory_of_profiles_is_given_back() {
    let _turn = TURN.lock();
    let _busy: Vec<_> = (0..4).map(|_| Busy::with("knitter", knit_a_scarf)).collect();
    let record = || a_second_of_work().len();
    let before = resident();
    record();
    let first = resident() - before;
    for _ in 0..3 {
        record();
    }
    let all = resident() - before;
    let limit = 8 << 20;
    assert!(first < limit && all < limit, "{first} bytes more after one profile, {all} after four");
}

/// librdkafka's threads block all signals: their CPU time is reported, and not charged to other threads.
#[test]
fn a_thread_that_blocks_signals_is_measured() {
    let _turn = TURN.lock();
    static BLOCKS: AtomicBool = AtomicBool::new(false);
    let _busy = Busy::with("deaf", || {
        block_signals();
        BLOCKS.store(true, Relaxed);
        knit_a_scarf()
    });
    while !BLOCKS.load(Relaxed) {
        thread::yield_now();
    }
    let (_, stacks) = decode(&a_second_of_work());
    let deaf: Vec<_> = stacks.iter().filter(|stack| stack.thread == "deaf").collect();
    assert!(deaf.len() == 1 && deaf[0].functions.len() == 1, "{deaf:?}");
    assert!(deaf[0].functions[0].starts_with("[deaf: blocks signals"), "{deaf:?}");
    let others: i64 = stacks.iter().map(|stack| stack.samples).sum::<i64>() - deaf[0].samples;
    assert!(deaf[0].samples > 50 && others * 5 < deaf[0].samples, "{stacks:?}");
}

#[expect(unsafe_code, reason = "std cannot block signals")]
fn block_signals() {
    // SAFETY: a set of signals is plain data, and it lives through the calls.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
    }
}
