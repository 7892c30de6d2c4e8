//! How much memory and time the store takes. Run one with
//! `cargo test --release -p timeseries --lib measured -- --ignored --nocapture --test-threads 1`.

use std::{fs, hint::black_box, path::PathBuf, time::SystemTime};

use super::*;

/// The resident memory of this process.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

fn seconds<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let before = SystemTime::now();
    let result = black_box(work());
    (before.elapsed().unwrap().as_secs_f64(), result)
}

/// The answer of one of seven targets: 43 histograms of 15 series, as services of the mesh have them. `busy` percent of them change.
fn answer(row: u64, busy: u64) -> String {
    let mut text = String::new();
    for metric in 0..43_u64 {
        let name = format!("rpc_server_call_duration_seconds_{}", metric % 6);
        text += &format!(
            "# HELP {name} Seconds from a call's arrival to the end of its answer.\n# TYPE {name} histogram\n"
        );
        let calls = if metric * 100 < busy * 43 { row * 100 + row * row * 31 % 37 } else { 4_242 };
        let labels = format!(
            "rpc_method=\"mesh.orders.v1.Orders/Place{metric}\",rpc_response_status_code=\"OK\",rpc_system_name=\"grpc\""
        );
        for bucket in 0..13 {
            let count = calls * (bucket + 1) / 13;
            text += &format!(
                "{name}_bucket{{{labels},le=\"{}\"}} {count}\n",
                0.001 * f64::from(1 << bucket)
            );
        }
        let sum = calls as f64 * 0.003_217_391_2;
        text += &format!("{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {calls}\n");
    }
    text + "# EOF\n"
}

fn services() -> Vec<Labels> {
    ["gateway", "catalog", "inventory", "orders", "payments", "shipping", "notifications"]
        .map(target)
        .to_vec()
}

fn fill(busy: u64) -> Store {
    let store = Store::new(Options { bytes: 1 << 30, ..Options::default() });
    for row in 0..900_u64 {
        let text = answer(row, busy);
        for service in services() {
            store.scrape(&service, row as i64 * 2_000, TOOK, &text).unwrap();
        }
    }
    store
}

fn report(name: &str, store: &Store, before: usize) {
    let usage = store.usage();
    println!(
        "{name}: {} series, {} samples, {} exemplars: {:.2} MiB, {:.2} bytes a sample; resident {:.2} MiB more",
        usage.series,
        usage.samples,
        usage.exemplars,
        usage.bytes as f64 / f64::from(1 << 20),
        usage.bytes as f64 / usage.samples as f64,
        resident().saturating_sub(before) as f64 / f64::from(1 << 20),
    );
}

#[test]
#[ignore = "a measurement"]
fn memory_of_thirty_minutes() {
    // All stay, so that none gets the memory that another has given back.
    let mut stores = Vec::new();
    for busy in [0, 50, 100] {
        let before = resident();
        stores.push(fill(busy));
        report(&format!("{busy} % change"), &stores[stores.len() - 1], before);
    }
}

#[test]
#[ignore = "a measurement"]
fn time_of_a_scrape_and_of_a_selection() {
    let store = Store::new(Options { bytes: 1 << 30, ..Options::default() });
    let texts: Vec<_> = (0..900).map(|row| answer(row, 50)).collect();
    let orders = target("orders");
    let (first, _) = seconds(|| store.scrape(&orders, -1, TOOK, &texts[0]).unwrap());
    let (scrapes, ()) = seconds(|| {
        for (row, text) in texts.iter().enumerate() {
            store.scrape(&orders, row as i64 * 2_000, TOOK, text).unwrap();
        }
    });
    let bytes: usize = texts.iter().map(String::len).sum();
    println!(
        "first answer of {} KiB: {:.2} ms; each further one: {:.3} ms, {:.0} MB/s, {:.0} ns a sample",
        texts[0].len() >> 10,
        first * 1e3,
        scrapes * 1e3 / 900.0,
        bytes as f64 / scrapes / 1e6,
        scrapes * 1e9 / (900.0 * 645.0),
    );
    let matchers = matchers("{__name__=~\"rpc_.*_bucket\"}");
    let select = Select { matchers: &matchers, from_ms: 0, to_ms: i64::MAX };
    let (mut series, mut samples) = (0, 0);
    let (selected, ()) = seconds(|| {
        let visit = &mut |_: &Labels, found: &[Sample]| {
            (series, samples) = (series + 1, samples + found.len());
            Ok(())
        };
        store.select(&select, visit).unwrap();
    });
    println!("selecting {samples} samples of {series} series: {:.2} ms", selected * 1e3);
    let (saved, bytes) = seconds(|| store.snapshot());
    let (restored, ()) = seconds(|| self::store().restore(&bytes, 1_800_000, 1_800_000).unwrap());
    println!(
        "snapshot of {} KiB: {:.1} ms, restored in {:.1} ms",
        bytes.len() >> 10,
        saved * 1e3,
        restored * 1e3
    );
}

/// Answers of a real mesh: files `<number>.<service>` in the folder of `RECORDED`, repeated until there are 30 minutes of them.
#[test]
#[ignore = "a measurement; needs recorded answers"]
#[expect(clippy::disallowed_methods, reason = "the folder is only for this measurement")]
fn memory_of_a_recorded_mesh() {
    let folder = PathBuf::from(std::env::var_os("RECORDED").unwrap());
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut scrapes: Vec<Vec<(Labels, String)>> = Vec::new();
    let mut last = None;
    for file in files {
        if last.as_deref() != file.file_stem() {
            last = file.file_stem().map(ToOwned::to_owned);
            scrapes.push(Vec::new());
        }
        let service = file.extension().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        scrapes.last_mut().unwrap().push((target(service), text));
    }
    let before = resident();
    let store = Store::new(Options::default());
    let (mut took, mut bytes) = (0.0, 0);
    for (number, scrape) in scrapes.iter().cycle().take(900).enumerate() {
        for (target, text) in scrape {
            bytes += text.len();
            let at_ms = number as i64 * 2_000;
            took += seconds(|| store.scrape(target, at_ms, TOOK, text).unwrap()).0;
        }
    }
    report(&format!("{} scrapes of a mesh, repeated to 900", scrapes.len()), &store, before);
    println!("{:.0} MB/s parsed; {:?}", bytes as f64 / took / 1e6, store.usage());
}
