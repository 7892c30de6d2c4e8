//! The rules of the mesh, evaluated by our own engine: the tests that promtool runs pass here, too, and a mistake in a rule or
//! in an expectation fails.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use promql::{Append, Error, Labels, Memory, Sample, Select, Storage, Visit};
use promrules::{Options, unit_tests};

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let mut files: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    files.sort();
    files
}

/// The files of tests; each is a test here, so that they run in parallel.
const FILES: [&str; 5] =
    ["budgets.yaml", "events.yaml", "processes.yaml", "recording.yaml", "telemetry.yaml"];

#[track_caller]
fn passes(file: &str) {
    let path = rules().join("tests").join(file);
    let summary = unit_tests::run(&path).unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.checks > 10, "{file}: {} checks", summary.checks);
    assert!(summary.failures.is_empty(), "{file}:\n{}", summary.failures.join("\n"));
}

#[test]
fn the_tests_of_budgets_pass() {
    passes(FILES[0]);
}

#[test]
fn the_tests_of_events_pass() {
    passes(FILES[1]);
}

#[test]
fn the_tests_of_processes_pass() {
    passes(FILES[2]);
}

#[test]
fn the_tests_of_recorded_series_pass() {
    passes(FILES[3]);
}

#[test]
fn the_tests_of_telemetry_pass() {
    passes(FILES[4]);
}

#[test]
fn every_file_of_tests_is_a_test_here() {
    let names = yaml(&rules().join("tests"));
    let names: Vec<_> = names.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(names, FILES);
}

/// Runs the tests of a file after a change in a rule file or in the tests themselves.
fn failures(file: &str, change: (&str, &str)) -> Vec<String> {
    let folder = rules().join("tests");
    let changed = |text: String| text.replace(change.0, change.1);
    let text = changed(read(&folder.join(file)));
    let summary = unit_tests::run_text(&text, &|name| Ok(changed(read(&folder.join(name)))));
    summary.unwrap_or_else(|error| panic!("{file}: {error}")).failures
}

/// `tests/bundle/rules.sh` makes the same changes, and expects that promtool fails for each.
#[test]
fn a_changed_rule_or_expectation_fails() {
    let mutations =
        read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/tests/mutations.tsv")));
    let lines = mutations.lines().filter(|line| !line.starts_with('#'));
    let mutations: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    assert!(mutations.len() >= 5, "{mutations:?}");
    for mutation in mutations {
        let [file, before, after] = *mutation else { panic!("{mutation:?}: three columns") };
        assert!(!failures(file, (before, after)).is_empty(), "{file} passes with {after:?}");
    }
}

/// What the rules record, in memory.
#[derive(Default)]
struct Recorded(RefCell<Memory>);

impl Storage for Recorded {
    fn select(&self, select: &Select<'_>, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.0.borrow().select(select, visit)
    }
}

impl Append for Recorded {
    fn append(&self, _: &str, at_ms: i64, samples: &[(Labels, f64)]) {
        for (labels, value) in samples {
            self.0.borrow_mut().append(labels, Sample { at_ms, value: *value });
        }
    }
}

/// Without any series, too, every rule is evaluated without an error: nothing in the rules is unsupported.
#[test]
fn every_rule_is_supported() {
    let (storage, mut count) = (Recorded::default(), 0);
    for path in yaml(&rules()) {
        let name = path.display().to_string();
        let groups = promrules::file::parse(&name, &read(&path), Duration::from_secs(5));
        for mut group in groups.unwrap_or_else(|mistakes| panic!("{mistakes}")) {
            let outcome = group.evaluate(&storage, 1_000_000, &Options::default());
            assert_eq!(outcome.failures, [], "{name}");
            count += group.snapshot().rules.len();
        }
    }
    assert!(count > 100, "{count} rules");
}
