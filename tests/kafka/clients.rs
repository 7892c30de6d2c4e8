//! Foreign Kafka clients, each against an embedded broker of its own.

use std::process::{Command, Stdio};

use crate::broker::Broker;

/// Runs the story of a foreign client; a failure shows its output.
pub(crate) fn run(client: &str) {
    let broker = Broker::embedded();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/kafka/clients.sh");
    let mut command = Command::new(script);
    command.args(["run", client, &broker.address, "embedded"]).stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{client}: {}", String::from_utf8_lossy(&said));
}
