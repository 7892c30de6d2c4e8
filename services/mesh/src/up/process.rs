//! One child process: starts it, reads its output, restarts it when it dies, and ends it when its turn has come.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::config::EX_CONFIG;

use super::{
    backoff::Backoff,
    layout::Process,
    line::{Level, Line},
    log::Log,
    ports, ready,
};

/// The state that the supervisor wants for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Desired {
    Running,
    /// Finish open work, then end.
    Drained,
    /// End now.
    Killed,
}

/// The state of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) pid: Option<u32>,
    pub(super) restarts: u64,
    pub(super) ready: bool,
    /// What it waits for, as its `/readyz` says.
    pub(super) missing: Vec<String>,
    /// Set once it has ended for good: whether it ended cleanly.
    pub(super) ended: Option<bool>,
    /// Whether it ended because of its configuration: another start would end the same way.
    pub(super) refused: bool,
}

/// A process of the layout, across restarts.
pub(super) struct Supervised {
    pub(super) process: Process,
    label: String,
    program: PathBuf,
    environment: Vec<(String, String)>,
    log: Log,
    client: reqwest::Client,
    desired: watch::Sender<Desired>,
    state: watch::Sender<State>,
    backoff: Mutex<Backoff>,
}

/// How long a pipe may stay open after its process has ended: a process that the child has started may hold it.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl Supervised {
    pub(super) fn new(
        process: Process,
        program: PathBuf,
        environment: Vec<(String, String)>,
        log: Log,
        client: reqwest::Client,
    ) -> Self {
        let label = process.label();
        let (desired, state) =
            (watch::Sender::new(Desired::Running), watch::Sender::new(State::default()));
        Self {
            process,
            label,
            program,
            environment,
            log,
            client,
            desired,
            state,
            backoff: Mutex::default(),
        }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// A receiver of its state.
    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn set_desired(&self, desired: Desired) {
        self.desired.send_replace(desired);
    }

    /// Keeps it running until the supervisor wants it to end.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut desired = self.desired.subscribe();
        loop {
            let born = Instant::now();
            let status = self.live().await;
            let was_ready = self.state.borrow().ready;
            self.state.send_modify(|state| (state.pid, state.ready) = (None, false));
            let wanted = *desired.borrow_and_update();
            if wanted != Desired::Running {
                let (clean, expected) = classify_exit(&status, wanted, was_ready);
                if !expected {
                    self.log.say(
                        &self.label,
                        Level::Warn,
                        format!("did not end in peace: {}", describe(&status)),
                    );
                }
                self.state.send_modify(|state| state.ended = Some(clean));
                return;
            }
            if status.as_ref().is_ok_and(|status| status.code() == Some(EX_CONFIG.into())) {
                let what = "cannot run with its configuration, and is not started again";
                self.log.say(&self.label, Level::Error, what);
                self.state.send_modify(|state| (state.ended, state.refused) = (Some(false), true));
                return;
            }
            let pause = self.backoff.lock().after(born.elapsed());
            self.tell_of_death(&status, pause);
            tokio::select! {
                () = sleep(pause) => self.state.send_modify(|state| state.restarts += 1),
                _ = desired.changed() => {
                    self.state.send_modify(|state| state.ended = Some(true));
                    return;
                }
            }
        }
    }

    fn tell_of_death(&self, status: &io::Result<ExitStatus>, pause: Duration) {
        let after = humantime::format_duration(pause);
        // A clean exit follows a stop signal from elsewhere, which is a warning; any other end is an error.
        let (level, what) = match status {
            Ok(status) if status.success() => (Level::Warn, "ended".to_owned()),
            _ => (Level::Error, format!("died ({})", describe(status))),
        };
        self.log.say(&self.label, level, format!("{what}, starting it again in {after}"));
        if let Some(taken) = ports::of_process(&self.process) {
            self.log.say(&self.label, Level::Error, format!("{taken}; --port-base moves it"));
        }
    }

    /// One run of the process, from its first line to its last.
    async fn live(&self) -> io::Result<ExitStatus> {
        let mut desired = self.desired.subscribe();
        desired.mark_changed();
        let mut child = self.spawn()?;
        let pid = child.id();
        self.state.send_modify(|state| state.pid = pid);
        // The child's standard input stays open for as long as this variable lives: the child ends when we do, however we end.
        let _leash = child.stdin.take();
        let mut voices = JoinSet::new();
        if let Some(lines) = child.stdout.take() {
            voices.spawn(follow(lines, self.label.clone(), self.log.clone(), Line::read));
        }
        if let Some(lines) = child.stderr.take() {
            let complaint = |process: &str, text: &str| Line::new(process, Level::Error, text);
            voices.spawn(follow(lines, self.label.clone(), self.log.clone(), complaint));
        }
        let status = {
            let until_ready = self.until_ready();
            tokio::pin!(until_ready);
            let mut is_ready = false;
            loop {
                tokio::select! {
                    status = child.wait() => break status,
                    () = &mut until_ready, if !is_ready => is_ready = true,
                    Ok(()) = desired.changed() => signal(&child, *desired.borrow_and_update()),
                }
            }
        };
        timeout(LAST_WORDS, async { while voices.join_next().await.is_some() {} }).await.ok();
        status
    }

    fn spawn(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .args([self.process.service, "--supervised"])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal signals the whole process group, but the children must stop in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    async fn until_ready(&self) {
        let born = Instant::now();
        let Some(admin) = self.process.address(super::layout::Protocol::Admin) else { return };
        ready::until(&self.client, &admin, |missing| {
            self.state.send_modify(|state| state.missing = missing)
        })
        .await;
        let restarts = self.state.borrow().restarts;
        self.state.send_modify(|state| state.ready = true);
        if restarts > 0 {
            self.log.say(
                &self.label,
                Level::Info,
                format!("ready again after {:.1} s", born.elapsed().as_secs_f64()),
            );
        }
    }
}

fn signal(child: &Child, desired: Desired) {
    let signal = match desired {
        Desired::Running => return,
        Desired::Drained => Signal::TERM,
        Desired::Killed => Signal::KILL,
    };
    // The process was not waited for yet, so its id still belongs to it.
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        kill_process(pid, signal).ok();
    }
}

/// Returns whether a process that was to end did so cleanly, and whether it ended as expected. A process that did not handle
/// signals yet is ended by the first one, with no work begun; and a process that was to be killed may end by SIGKILL.
fn classify_exit(
    status: &io::Result<ExitStatus>,
    wanted: Desired,
    was_ready: bool,
) -> (bool, bool) {
    let Ok(status) = status else { return (false, false) };
    let ended_by = |signal: Signal| status.signal() == Some(signal.as_raw());
    let clean = status.success() || (!was_ready && ended_by(Signal::TERM));
    (clean, clean || (wanted == Desired::Killed && ended_by(Signal::KILL)))
}

fn describe(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("cannot be started: {error}"),
    }
}

/// Longer lines are cut: people do not read them here.
const LONGEST_LINE: u64 = 64 * 1024;

async fn follow(
    lines: impl AsyncRead + Unpin,
    process: String,
    log: Log,
    read: fn(&str, &str) -> Line,
) {
    let mut lines = BufReader::new(lines);
    let mut text = Vec::new();
    let mut is_rest = false;
    loop {
        text.clear();
        // A line without an end must not take all memory; the rest of a line that was too long is not a line of its own.
        match (&mut lines).take(LONGEST_LINE).read_until(b'\n', &mut text).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if std::mem::replace(&mut is_rest, text.last() != Some(&b'\n')) {
            continue;
        }
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_end();
        if !text.is_empty() && (log.is_verbose() || !is_business(text)) {
            log.put(&read(&process, text));
        }
    }
}

/// Most lines are about orders and are not shown; this check is cheaper than parsing them.
fn is_business(text: &str) -> bool {
    text.contains("\"level\":\"info\"") && !text.contains("\"target\":\"chassis::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_clean_only_if_it_was_requested_and_succeeded() {
        let by = |signal| Ok(ExitStatus::from_raw(signal));
        let failed = Ok(ExitStatus::from_raw(1 << 8));
        assert_eq!(classify_exit(&by(0), Desired::Drained, true), (true, true));
        assert_eq!(
            classify_exit(&by(15), Desired::Drained, false),
            (true, true),
            "Ctrl-C while it starts"
        );
        assert_eq!(classify_exit(&by(15), Desired::Drained, true), (false, false));
        assert_eq!(classify_exit(&by(9), Desired::Killed, true), (false, true), "a second Ctrl-C");
        assert_eq!(classify_exit(&by(9), Desired::Drained, true), (false, false));
        assert_eq!(classify_exit(&failed, Desired::Drained, true), (false, false));
    }

    #[test]
    fn only_info_lines_of_the_service_itself_are_business() {
        assert!(is_business(
            r#"{"level":"info","message":"order placed","target":"orders::orders"}"#
        ));
        assert!(!is_business(
            r#"{"level":"info","message":"started","target":"chassis::app::life"}"#
        ));
        assert!(!is_business(r#"{"level":"warn","message":"slow","target":"orders::orders"}"#));
        assert!(!is_business("panicked at"));
    }

    /// Another start would end the same way, for ever.
    #[tokio::test]
    async fn a_process_that_refuses_its_configuration_is_not_started_again() {
        use std::os::unix::fs::PermissionsExt;

        use crate::up::layout::Layout;

        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("refuses");
        std::fs::write(&program, "#!/bin/sh\necho once >> \"$STARTS\"\nexit 78\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let starts = folder.path().join("starts");
        let environment = vec![("STARTS".to_owned(), starts.display().to_string())];
        let layout =
            Layout::new(registry::PORT_BASE, &std::collections::BTreeMap::new(), false).unwrap();
        let (log, writer) = Log::open(false, false).unwrap();
        let process = layout.processes[0].clone();
        let client = ready::client().unwrap();
        let supervised =
            Arc::new(Supervised::new(process, program, environment, log.clone(), client));
        let state = supervised.watch();
        let keep = Arc::clone(&supervised).keep();
        timeout(Duration::from_secs(30), keep).await.expect("it gives up");
        assert!(state.borrow().refused && state.borrow().ended == Some(false));
        assert_eq!(std::fs::read_to_string(starts).unwrap(), "once\n");
        drop((supervised, log));
        writer.finish();
    }
}
