//! Tests of what a process costs: others that run beside them would cost it, too.

use std::process::Command;

/// Set in the process that has one test alone.
const ALONE: &str = "GLASSMESH_TEST_ALONE";

/// Whether this process has this test alone. If it has not, another one is started that has, and must succeed.
///
/// # Panics
/// The test failed there; shows what it printed.
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
