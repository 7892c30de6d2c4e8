//! Checks the served AsyncAPI document with the tools of others.

use std::process::{Command, Stdio};

#[tokio::test]
#[ignore = "needs npm: .ci/run has it"]
async fn the_document_is_valid_and_the_messages_are_as_it_says() {
    let mesh = crate::embedded().start().await;
    let mut command =
        Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/asyncapi/check.sh"));
    command.arg(format!("http://127.0.0.1:{}", mesh.base())).stdin(Stdio::null());
    let checked = tokio::task::spawn_blocking(move || command.output().expect("check.sh"));
    let output = checked.await.expect("no panic");
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
