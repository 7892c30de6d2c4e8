//! The real parts, as `.ci/run` started them.

use std::process::Command;

/// A variable that `.ci/run` sets.
#[expect(clippy::disallowed_methods, reason = "how the lane tells its tests where the parts are")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: `.ci/run` does it; tests/README.md says how by hand")
    })
}

/// `host:port` of a part.
pub(crate) fn address(part: &str) -> String {
    variable(&format!("REAL_{part}"))
}

/// `kill` ends a part as a crash would; `restart` brings it back with its data, at its address.
pub(crate) async fn tell(action: &str, part: &str) {
    let mut command = Command::new(variable("REAL_PARTS"));
    command.args([action, part]).arg(format!("{}/{part}", variable("REAL_STATE")));
    let told = tokio::task::spawn_blocking(move || command.output().expect("parts.sh"))
        .await
        .expect("no panic");
    assert!(told.status.success(), "{action} {part}: {}", String::from_utf8_lossy(&told.stderr));
}
