//! How the commands handle an output that takes nothing, and arguments that cannot be right.

use std::{
    fs::File,
    io::Read,
    process::{Command, Output, Stdio},
};

fn mesh(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesh"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Commands that print much, or little, and need no mesh.
const ANSWERS: [&[&str]; 5] = [
    &["--help"],
    &["completions", "bash"],
    &["config", "orders", "--json"],
    &["load", "--help"],
    &["services", "--json"],
];

#[test]
#[cfg(target_os = "linux")]
fn an_answer_that_cannot_be_written_is_a_failure() {
    for arguments in ANSWERS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = mesh(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let complaints = complaints(&output);
        assert!(complaints.contains("cannot write to standard output"), "{complaints}");
        assert!(!complaints.contains("panicked"), "{complaints}");
    }
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    for arguments in ANSWERS {
        let mut child =
            mesh(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut complaints = String::new();
        child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}: {complaints}");
        assert_eq!(complaints, "", "{arguments:?}");
    }
}

/// Nothing is sent: the command refuses the argument before it looks for a mesh.
#[test]
fn an_argument_that_cannot_be_right_is_refused_with_what_is_expected() {
    let cases: [(&[&str], &str); 13] = [
        (&["load", "--token", "foo"], "expected tok_ and 1 to 64 of a-z, 0-9 and _"),
        (&["load", "--mix", "foo=1"], "expected tokens with weights, as tok_ok=95,tok_declined=5"),
        (&["load", "--gateway", "localhost:8080"], "expected http://host:port"),
        (&["load", "--nats", "localhost"], "expected nats://host:port"),
        (&["load", "--rate", "NaN"], "expected orders per second"),
        (&["trace", "x", "--jaeger", "localhost"], "expected http://host:port"),
        (&["audit", "--orders", "localhost"], "expected http://host:port"),
        (&["dlq", "list", "--kafka", "kafka"], "expected host:port"),
        (&["logs", "--lens", "lens"], "expected http://host:port"),
        (&["up", "--kafka", "kafka"], "expected host:port"),
        (&["alerts", "--url", "lens"], "expected http://host:port"),
        (&["query", "up", "--time", "noon"], "expected RFC 3339, as 2026-01-02T03:04:05Z"),
        (&["query", "up", "--step", "5s"], "--range <DURATION>"),
    ];
    for (arguments, expected) in cases {
        let output = mesh(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let complaints = complaints(&output);
        assert!(complaints.contains(expected), "{arguments:?}: {complaints}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// A start that can never succeed reports everything that is wrong, with its source, and that a restart is of no use.
#[test]
fn addresses_that_cannot_be_right_end_the_start_with_all_of_them_named() {
    let wrong = [
        ("database.url", "mysql://ada:hunter2@db/payments"),
        ("provider", "ftp://ada:hunter2@pay"),
        ("redis.url", "http://ada:hunter2@valkey"),
        ("nats.url", "http://"),
        ("kafka.brokers", "kafka:x"),
    ];
    let mut command = mesh(&["payments"]);
    for (key, value) in wrong {
        command.args(["--set", &format!("{key}={value}")]);
    }
    let output = command.output().unwrap();
    let complaints = complaints(&output);
    assert_eq!(output.status.code(), Some(78), "{complaints}");
    for (key, _) in wrong {
        let from = format!("(from command line --set {key})");
        assert!(complaints.contains(&from), "{key}: {complaints}");
    }
    assert!(!complaints.contains("hunter2"), "{complaints}");
    assert!(output.stdout.is_empty());
}

/// A Prometheus that is away, or is none, is named in one line.
#[test]
fn a_prometheus_that_does_not_answer_is_named() {
    let away = "http://127.0.0.1:1/prometheus";
    for arguments in [["alerts", "--url", away].as_slice(), &["query", "up", "--url", away]] {
        let output = mesh(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let complaints = complaints(&output);
        assert!(
            complaints.starts_with(&format!("mesh: the Prometheus at {away} does not answer: ")),
            "{complaints}"
        );
        assert_eq!(complaints.lines().count(), 1, "{complaints}");
        assert!(output.stdout.is_empty());
    }
}

/// A file that is no recorded run is named before anything starts.
#[test]
fn a_replay_of_a_wrong_file_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.zip"), "tea").unwrap();
    for (arguments, expected) in [
        (["up", "--replay", "none.zip"].as_slice(), "cannot read none.zip: No such file"),
        (&["up", "--replay", "run.zip"], "cannot read run.zip: it is no zip file"),
        (
            &["import", "run.zip", "--lens", "http://127.0.0.1:1"],
            "cannot read run.zip: it is no zip file",
        ),
        (&["export", "run.zip", "--lens", "http://127.0.0.1:1"], "run.zip exists already"),
    ] {
        let output = mesh(arguments).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let complaints = complaints(&output);
        assert!(complaints.contains(expected), "{arguments:?}: {complaints}");
    }
    assert!(!folder.path().join(".mesh").exists());
}
