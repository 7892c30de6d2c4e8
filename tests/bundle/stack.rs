//! The running parts, as `stack.sh` started them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Mesh, Options, until};
use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The value of an environment variable that `.ci/run` sets.
#[expect(clippy::disallowed_methods, reason = "how the lane tells its tests where the parts are")]
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: `.ci/run` does it; tests/README.md says how by hand")
    })
}

/// Runs one of our scripts, and returns its output.
pub(crate) async fn script(path: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(root().join(path));
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().expect("a script of ours"))
        .await
        .expect("no panic");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path} {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Collector, Jaeger, Prometheus and Alertmanager. All of these tests share them and run one after the other.
pub(crate) struct Stack {
    pub(crate) folder: PathBuf,
    addresses: BTreeMap<String, String>,
}

impl Stack {
    /// The stack that `.ci/run` started.
    pub(crate) fn running() -> Self {
        let folder = PathBuf::from(variable("BUNDLE_STATE"));
        let file = folder.join("addresses");
        let text =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let addresses =
            pairs.map(|(name, address)| (name.to_owned(), address.to_owned())).collect();
        Self { folder, addresses }
    }

    /// The address of a part, by its name in the file `addresses`.
    pub(crate) fn address(&self, name: &str) -> &str {
        self.addresses.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", self.addresses))
    }

    /// A mesh that sends its telemetry to the Collector.
    pub(crate) fn mesh(&self) -> Options {
        let collector = format!("http://{}", self.address("OTLP"));
        Options::new(env!("CARGO_BIN_EXE_mesh"))
            .with_lens()
            .set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector)
    }

    /// Configures Prometheus to scrape only this mesh.
    pub(crate) async fn scrape(&self, mesh: &Mesh) {
        let folder = self.folder.to_string_lossy();
        script("tests/bundle/stack.sh", &["scrape", &folder, &mesh.base().to_string()]).await;
        let status = mesh.status().await;
        let admins: BTreeSet<_> = status.iter().filter_map(|one| one.admin.clone()).collect();
        // Prometheus reloads its targets within seconds.
        until("Prometheus to scrape this mesh", || async {
            let answer = self.get("PROMETHEUS", "/api/v1/targets?state=active").await?;
            let targets = list(&answer, "/data/activeTargets").iter();
            let ours = targets.filter(|one| !text(one, "/labels/service").is_empty());
            let urls =
                ours.map(|one| text(one, "/scrapeUrl").trim_end_matches("/metrics").to_owned());
            (urls.collect::<BTreeSet<_>>() == admins).then_some(())
        })
        .await;
    }

    /// The JSON of a part's response; `None` without a response.
    pub(crate) async fn get(&self, part: &str, path: &str) -> Option<Value> {
        let text = harness::text(&format!("{}{path}", self.address(part))).await?;
        serde_json::from_str(&text).ok()
    }

    /// A trace with the spans that Jaeger has now; `None` without any.
    pub(crate) async fn trace(&self, trace_id: &str) -> Option<Value> {
        let mut answer = self.get("JAEGER", &format!("/api/traces/{trace_id}")).await?;
        let trace = answer.pointer_mut("/data/0")?.take();
        (!trace.is_null()).then_some(trace)
    }

    /// The same, as soon as Jaeger has the trace.
    pub(crate) async fn until_trace(&self, trace_id: &str) -> Value {
        until(&format!("trace {trace_id} in Jaeger"), || self.trace(trace_id)).await
    }
}

/// The elements of an array in a response; empty if there is none.
pub(crate) fn list<'a>(answer: &'a Value, pointer: &str) -> &'a [Value] {
    answer.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A string in a response; empty if there is none.
pub(crate) fn text<'a>(answer: &'a Value, pointer: &str) -> &'a str {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
