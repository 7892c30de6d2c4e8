//! Tests that measure the resources of a process: tests that run beside them in the same process would be measured, too.

use std::process::Command;

/// An environment variable that is set in a process that runs one test alone.
const ALONE: &str = "GLASSMESH_TEST_ALONE";

/// Whether this process runs this test alone. If not, starts a process that does, which must succeed.
///
/// # Panics
/// If the test failed in that process; shows what it printed.
#[expect(clippy::disallowed_methods, reason = "how the process knows what it was started for")]
pub fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().expect("a test is a program"));
    let output = command.args(["--exact", test]).env(ALONE, "1").output().expect("it starts again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{test} is no test's name: {said}");
    false
}
