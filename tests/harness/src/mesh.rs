//! A whole mesh as a user starts it: `mesh up` in an empty folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use reqwest::Client;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::{Collector, Gateway, Samples, free_base, until};

/// How a mesh is started.
#[derive(Clone)]
pub struct Options {
    binary: PathBuf,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
    collector: bool,
}

impl Options {
    /// A mesh with nothing installed and without delays, which sends its telemetry to a collector of its own.
    pub fn new(binary: &str) -> Self {
        let settings =
            [("MESH_SHIPPING__DISPATCH_AFTER", "0s"), ("MESH_SHIPPING__DELIVER_AFTER", "0s")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { binary: binary.into(), settings, arguments: Vec::new(), collector: true }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds arguments to `mesh up`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Sends telemetry to the mesh's own lens instead of a collector.
    #[must_use]
    pub fn with_lens(mut self) -> Self {
        self.collector = false;
        self
    }

    /// Starts the mesh, and waits until every service is ready.
    pub async fn start(self) -> Mesh {
        let mut mesh = self.spawn().await;
        mesh.until_ready().await;
        mesh
    }

    /// Starts the mesh, and does not wait.
    ///
    /// # Panics
    /// If the binary does not exist.
    pub async fn spawn(self) -> Mesh {
        let mut mesh = self.start_nothing().await;
        mesh.up();
        mesh
    }

    /// Creates the folder and the collector, and starts no process yet.
    ///
    /// # Panics
    /// If no temporary folder can be created.
    pub async fn start_nothing(self) -> Mesh {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let collector = if self.collector { Some(Collector::start().await) } else { None };
        Mesh {
            folder,
            base: free_base(),
            options: self,
            collector,
            supervisor: None,
            client: Client::new(),
        }
    }
}

/// One process of the mesh, as `mesh status --json` shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Service {
    /// Its name.
    pub service: String,
    /// Its process id.
    pub pid: Option<u32>,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it was started again.
    pub restarts: u64,
    /// Its HTTP address.
    pub http: Option<String>,
    /// Its gRPC address.
    pub grpc: Option<String>,
    /// Its admin address, for operators.
    pub admin: Option<String>,
    /// Its memory (PSS), in bytes.
    pub memory_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Status {
    services: Vec<Service>,
}

/// A running mesh in a folder of its own; killed when dropped.
pub struct Mesh {
    folder: TempDir,
    base: u16,
    options: Options,
    collector: Option<Collector>,
    supervisor: Option<Child>,
    client: Client,
}

impl Mesh {
    /// Starts the supervisor in the folder of this mesh, for the first time or again.
    ///
    /// # Panics
    /// If the supervisor runs already, or the binary cannot be started.
    pub fn up(&mut self) {
        assert!(self.supervisor.is_none(), "it runs already");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a log file");
        let mut command = self.command(&["up", "--port-base", &self.base.to_string()]);
        command.args(&self.options.arguments).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        self.supervisor = Some(command.spawn().expect("the mesh binary"));
    }

    /// Replaces the arguments of `mesh up` for the next start.
    pub fn set_arguments(&mut self, arguments: &[&str]) {
        self.options.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.options.binary);
        command.args(arguments).current_dir(self.folder.path()).env("NO_COLOR", "1");
        command.envs(self.options.settings.iter().map(|(name, value)| (name, value)));
        if let Some(collector) = &self.collector {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address));
        }
        command
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("up.log")
    }

    /// The output of `mesh up` so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its first port.
    pub fn base(&self) -> u16 {
        self.base
    }

    /// The collector with the telemetry of the mesh.
    ///
    /// # Panics
    /// If the mesh sends its telemetry to its lens instead.
    pub fn collector(&self) -> &Collector {
        self.collector.as_ref().expect("this mesh tells its lens")
    }

    /// A customer of its gateway.
    pub fn gateway(&self) -> Gateway {
        Gateway::new(&format!("http://127.0.0.1:{}", self.base))
    }

    /// Runs another command of the binary in this mesh's folder.
    ///
    /// # Panics
    /// If the binary cannot be started.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        spawn_blocking(move || command.stdin(Stdio::null()).output().expect("the mesh binary"))
            .await
            .expect("no panic")
    }

    /// Every process, as `mesh status --json` shows it; empty while the command fails.
    pub async fn status(&self) -> Vec<Service> {
        let output = self.run(&["status", "--json"]).await;
        serde_json::from_slice::<Status>(&output.stdout)
            .map(|status| status.services)
            .unwrap_or_default()
    }

    /// The process of one service.
    pub async fn service(&self, name: &str) -> Service {
        until(&format!("{name} to be there"), || async {
            self.status()
                .await
                .into_iter()
                .find(|service| service.service == name && service.pid.is_some())
        })
        .await
    }

    /// Waits until every service is ready.
    ///
    /// # Panics
    /// If the supervisor ends instead; shows its log.
    pub async fn until_ready(&mut self) {
        let log = self.log_path();
        for _ in 0..2400 {
            let services = self.status().await;
            if !services.is_empty() && services.iter().all(|service| service.ready) {
                return;
            }
            if let Some(status) =
                self.supervisor.as_mut().and_then(|child| child.try_wait().ok().flatten())
            {
                panic!(
                    "mesh up ended with {status}:\n{}",
                    fs::read_to_string(log).unwrap_or_default()
                );
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("not ready: {:#?}\n{}", self.status().await, self.log());
    }

    /// Kills one service's process, as `kill -9` does, and waits until it has been started again and is ready.
    pub async fn kill(&self, name: &str) {
        self.kill_process(&self.service(name).await).await;
    }

    /// Kills this process, and waits until another one has replaced it.
    pub async fn kill_process(&self, before: &Service) {
        signal("KILL", before.pid.unwrap_or_default());
        self.until_replaced(before).await;
    }

    /// Waits until another process has replaced this one.
    pub async fn until_replaced(&self, before: &Service) {
        until(&format!("{} to be started again", before.service), || async {
            let back =
                |now: &Service| now.admin == before.admin && now.pid != before.pid && now.ready;
            self.status()
                .await
                .iter()
                .any(|now| back(now) && now.restarts > before.restarts)
                .then_some(())
        })
        .await;
    }

    /// Kills the supervisor, as `kill -9` does, and waits until all its processes have ended.
    ///
    /// # Panics
    /// If it does not run.
    pub async fn kill_supervisor(&mut self) {
        let services = self.status().await;
        let mut supervisor = self.supervisor.take().expect("it runs");
        supervisor.kill().expect("it can be killed");
        supervisor.wait().expect("it ends");
        self.until_gone(&services).await;
    }

    /// Waits until all these processes have ended.
    pub async fn until_gone(&self, services: &[Service]) {
        until("every child to be gone", || async {
            let gone = services.iter().filter_map(|service| service.pid).all(|pid| !alive(pid));
            gone.then_some(())
        })
        .await;
    }

    /// Sends the supervisor the signal to stop, and waits until it has ended.
    ///
    /// # Panics
    /// If it does not run.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut supervisor = self.supervisor.take().expect("it runs");
        signal("TERM", supervisor.id());
        spawn_blocking(move || supervisor.wait().expect("it ends")).await.expect("no panic")
    }

    /// Waits until the supervisor ends by itself.
    ///
    /// # Panics
    /// If it does not run.
    pub async fn wait(&mut self) -> ExitStatus {
        let mut supervisor = self.supervisor.take().expect("it runs");
        spawn_blocking(move || supervisor.wait().expect("it ends")).await.expect("no panic")
    }

    /// The address of its Kafka.
    ///
    /// # Panics
    /// If the mesh was not started.
    pub fn brokers(&self) -> String {
        let state =
            fs::read(self.folder().join(".mesh/mesh.json")).expect("the state of a started mesh");
        let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
        state["kafka"]["brokers"].as_str().expect("the brokers' addresses").to_owned()
    }

    /// Sends one service the signal to stop, as an orchestrator does.
    pub async fn terminate(&self, name: &str) {
        signal("TERM", self.service(name).await.pid.unwrap_or_default());
    }

    /// The response of a service's admin port at a path; `None` without a response.
    pub async fn admin(&self, name: &str, path: &str) -> Option<String> {
        let admin = self.service(name).await.admin?;
        self.client.get(format!("{admin}{path}")).send().await.ok()?.text().await.ok()
    }

    /// A service's metrics.
    pub async fn metrics(&self, name: &str) -> Samples {
        until(&format!("{name}'s metrics"), || async {
            Some(Samples::read(&self.admin(name, "/metrics").await?))
        })
        .await
    }

    /// Waits until every order is in a final state, and reconciles all ledgers.
    ///
    /// # Panics
    /// If there is a difference, or an order does not end; shows them.
    pub async fn audit(&self) {
        let output = self.run(&["audit", "--wait", "60s"]).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{}", self.log());
    }

    /// The story of a trace once it is complete: no span came for a while, and none is missing.
    pub async fn story(&self, trace_id: &str) -> String {
        let collector = self.collector();
        let mut last = (String::new(), 0);
        until("a whole trace", || {
            let now = collector.story(trace_id);
            last = if now == last.0 { (now, last.1 + 1) } else { (now, 0) };
            let whole = last.1 > 40 && !last.0.is_empty() && collector.orphans(trace_id).is_empty();
            let story = last.0.clone();
            async move { whole.then_some(story) }
        })
        .await
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        if let Some(mut supervisor) = self.supervisor.take() {
            // Its children end with the supervisor; the mesh guarantees that.
            drop(supervisor.kill());
            drop(supervisor.wait());
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(8_000);
            let tail = (tail..log.len()).find(|index| log.is_char_boundary(*index)).unwrap_or(0);
            #[expect(clippy::print_stdout, reason = "what a failed test shows")]
            {
                println!("--- mesh up ---\n{}", &log[tail..]);
            }
        }
    }
}

/// Sends a signal by name, as the command `kill` does.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {pid}");
}

/// Whether a process exists and is not a zombie.
fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}
