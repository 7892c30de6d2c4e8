//! The real parts, as `.ci/run` starts them.

use std::process::Command;

/// A variable that `.ci/run` sets.
#[expect(clippy::disallowed_methods, reason = "how the lane tells its tests where the parts are")]
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: `.ci/run` does it; tests/README.md says how by hand")
    })
}

/// `host:port` of a part.
pub(crate) fn address(part: &str) -> String {
    variable(&format!("REAL_{part}"))
}

/// `host:port` of another address of a part, by name.
pub(crate) fn further(part: &str, name: &str) -> String {
    let file = format!("{}/{part}/port.{name}", variable("REAL_STATE"));
    let port = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    format!("127.0.0.1:{}", port.trim())
}

/// The path of a certificate or key of a part; `parts/certificates.sh` lists them.
pub(crate) fn certificate(part: &str, name: &str) -> String {
    format!("{}/{part}/tls/{name}", variable("REAL_STATE"))
}

/// `kill` ends a part as a crash would; `restart` starts it again with its data, at the same address.
pub(crate) async fn tell(action: &str, part: &str) {
    let mut command = Command::new(variable("REAL_PARTS"));
    command.args([action, part]).arg(format!("{}/{part}", variable("REAL_STATE")));
    let output = tokio::task::spawn_blocking(move || command.output().expect("parts.sh"))
        .await
        .expect("no panic");
    assert!(
        output.status.success(),
        "{action} {part}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
