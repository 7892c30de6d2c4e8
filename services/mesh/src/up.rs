//! `mesh up`: runs the whole mesh on this machine, one child process for each service, with nothing to install.
//!
//! ```text
//!  claim .mesh ─▶ check ports ─▶ brokers ─▶ children, all at once ─▶ ready ─▶ signal ─▶ drain in order ─▶ brokers end
//!                                              └── a child that dies is started again
//! ```

mod addresses;
mod backoff;
mod brokers;
mod control;
mod environment;
mod folder;
mod layout;
pub(crate) mod line;
mod log;
mod memory;
mod mesh;
mod owner;
mod ports;
mod preflight;
mod process;
mod ready;
mod replay;
mod stop;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use self::{
    folder::Folder,
    layout::Layout,
    line::Level,
    log::{Log, SUPERVISOR},
    mesh::Mesh,
    replay::Replay,
};
use crate::{
    address,
    config::EX_CONFIG,
    load, output,
    running::FOLDER,
    service,
    signals::{self, Interrupts},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh up                                with embedded brokers; the state is in .mesh/
  mesh up --fresh --load 50              begin with nothing of the last run, and place 50 orders a second
  mesh up --replay run.zip               look at a run that mesh export wrote
  mesh up --port-base 9080               a second mesh, started in another folder
  mesh up --set shipping.deliver_after=10s --verbose
  mesh up --kafka 127.0.0.1:9092 --nats nats://127.0.0.1:4222 \\
          --postgres 'postgres://{service}:{service}@127.0.0.1:5432/{service}' \\
          --replicas orders=2,payments=2,gateway=2

Ctrl-C stops it in order; what was begun is finished at the next start. A second Ctrl-C ends it at once.
Orders (SQLite), and traces, log lines and metrics (up to 64 MiB, saved once a minute and at the stop), are in .mesh/ and are there
again at the next start; --fresh deletes them.";

/// Run the whole mesh on this machine, one process for each service, with nothing installed.
#[derive(Args)]
pub(crate) struct Options {
    /// The lowest port; all other ports follow from it.
    #[arg(long, default_value_t = registry::PORT_BASE, value_name = "PORT")]
    port_base: u16,
    /// Delete all orders, and the traces, log lines and metrics of the last run: begin with empty databases and an empty lens.
    #[arg(long, conflicts_with = "postgres")]
    fresh: bool,
    /// Show a run that `mesh export` wrote, as it was at its end, instead of running the mesh. Nothing is kept in .mesh/.
    #[arg(long, value_name = "FILE.zip", conflicts_with_all = ["fresh", "load", "kafka", "nats", "postgres", "replicas"])]
    replay: Option<PathBuf>,
    /// Place this many orders per second once all services are ready.
    #[arg(long, value_name = "RATE", value_parser = load::rate)]
    load: Option<f64>,
    /// Use these Kafka brokers instead of the embedded one: host:port, separated by commas.
    #[arg(long, value_name = "BROKERS", value_parser = address::brokers)]
    kafka: Option<String>,
    /// Use this NATS server instead of the embedded one.
    #[arg(long, value_name = "URL", value_parser = address::nats)]
    nats: Option<String>,
    /// Use PostgreSQL instead of SQLite; `{service}` in the URL is replaced by the name of each service.
    #[arg(long, value_name = "URL", value_parser = postgres)]
    postgres: Option<String>,
    /// Run several processes of a service: orders=2,gateway=2.
    #[arg(long, value_name = "SERVICE=N", value_delimiter = ',', value_parser = replicas)]
    replicas: Vec<(String, u16)>,
    /// Set a setting of all services or of one: log.filter=debug, shipping.deliver_after=10s; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = service::pair)]
    settings: Vec<(String, String)>,
    /// Show every log line of the services, not only warnings and starts and stops.
    #[arg(long, short)]
    verbose: bool,
}

fn postgres(url: &str) -> Result<String, String> {
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if is_postgres && url.contains(environment::SERVICE) {
        return Ok(url.to_owned());
    }
    Err("expected postgres://…{service}…: every service has a database of its own, and {service} becomes its name".into())
}

fn replicas(text: &str) -> Result<(String, u16), String> {
    let (service, count) = service::pair(text).map_err(|_| "expected service=number")?;
    let count = count.parse().map_err(|_| "expected service=number")?;
    Ok((service, count))
}

/// One thread for the children's output and the control port, one for the NATS server, so that neither waits for the other.
const WORKERS: usize = 2;

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let (log, writer) = Log::open(output::colours(), options.verbose)?;
    log.listen();
    let result = runtime.block_on(supervise(&options, &log, begun));
    writer.finish();
    result
}

async fn supervise(options: &Options, log: &Log, begun: Instant) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen()?;
    let mut replay = options.replay.as_deref().map(Replay::open).transpose()?;
    let replicas: BTreeMap<_, _> = options.replicas.iter().cloned().collect();
    let layout = Layout::new(options.port_base, &replicas, options.postgres.is_some())?;
    let (folder, left) = Folder::claim(Path::new(FOLDER))?;
    if let Some(left) = &left {
        let pid = left.pid;
        log.say(
            SUPERVISOR,
            Level::Warn,
            format!("the supervisor before (process {pid}) was killed; taking over what it left"),
        );
    }
    let embedded = ports::Embedded { kafka: options.kafka.is_none(), nats: options.nats.is_none() };
    ports::check(&layout, embedded, left.is_some()).await?;
    if options.fresh {
        folder.forget()?;
    }
    if let Some(replay) = &mut replay {
        replay.prepare(&folder)?;
    }
    let clock = replay.as_ref().map(|replay| replay.clock().to_owned());
    let mesh = match Mesh::plan(options, layout, clock, log).await? {
        Ok(mesh) => mesh,
        Err(mistakes) => {
            output::print_error(mistakes);
            return Ok(ExitCode::from(EX_CONFIG));
        }
    };
    let mut tasks = JoinSet::new();
    mesh.start(&mut tasks).await?;
    folder.to_lines(&mesh.running())?;
    let early = tokio::select! {
        why = interrupts.next() => Some(why),
        () = mesh.until_refused() => Some(REFUSED),
        why = ready(&mesh, replay, log, begun) => why,
    };
    let status = live(options, &mesh, log, &mut interrupts, early).await;
    mesh.end().await;
    Ok(status)
}

/// Waits until everything is ready, and prints what a user can open; returns the reason to stop if a replay has nothing to show.
async fn ready(
    mesh: &Mesh,
    replay: Option<Replay>,
    log: &Log,
    begun: Instant,
) -> Option<&'static str> {
    until_ready(mesh, log).await;
    let text = match replay {
        Some(mut replay) => {
            if !replay.load(mesh.layout(), log).await {
                return Some(UNREADABLE);
            }
            replay.describe(mesh.layout())
        }
        None => mesh.describe(),
    };
    let seconds = begun.elapsed().as_secs_f64();
    log.plain(format!("\nready in {seconds:.1} s\n{text}"));
    None
}

/// The reason for a stop without a signal.
const REFUSED: &str = "a service cannot run with its configuration";

/// The reason for a stop of a replay that has nothing to show.
const UNREADABLE: &str = "the recorded run cannot be shown";

/// Runs from ready, or from a signal that came before, until every child has ended.
async fn live(
    options: &Options,
    mesh: &Mesh,
    log: &Log,
    interrupts: &mut Interrupts,
    early: Option<&'static str>,
) -> ExitCode {
    let (stop, stopped) = watch::channel(false);
    let mut loads = JoinSet::new();
    let why = match early {
        Some(why) => why,
        None => {
            if let Some(rate) = options.load {
                loads.spawn(mesh.load(rate, log.clone(), stopped));
            }
            tokio::select! {
                why = interrupts.next() => why,
                () = mesh.until_refused() => REFUSED,
            }
        }
    };
    log.say(
        SUPERVISOR,
        Level::Info,
        format!("{why}: stopping in order; once more ends everything at once"),
    );
    stop.send_replace(true);
    let in_order = async {
        while loads.join_next().await.is_some() {}
        mesh.drain(log).await
    };
    tokio::select! {
        clean = in_order => {
            log.say(SUPERVISOR, Level::Info, "stopped");
            match (why, clean) {
                (REFUSED, _) => ExitCode::from(EX_CONFIG),
                (UNREADABLE, _) | (_, false) => ExitCode::FAILURE,
                (_, true) => ExitCode::SUCCESS,
            }
        }
        why = interrupts.next() => {
            log.say(SUPERVISOR, Level::Warn, format!("{why}: ending everything at once"));
            mesh.kill().await;
            ExitCode::from(signals::IMPATIENT)
        }
    }
}

/// A start takes a second or two; after this time, the user should see what it waits for.
const LONG: Duration = Duration::from_secs(30);

async fn until_ready(mesh: &Mesh, log: &Log) {
    while timeout(LONG, mesh.until_ready()).await.is_err() {
        for (process, missing) in mesh.missing() {
            log.say(&process, Level::Warn, format!("is not ready: waits for {missing}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_has_a_place_for_the_service() {
        assert!(postgres("postgres://{service}@db/{service}").is_ok());
        assert!(postgres("postgres://mesh@db/mesh").unwrap_err().contains("{service}"));
        assert!(postgres("sqlite://{service}.db").is_err());
    }

    #[test]
    fn replicas_are_a_service_and_a_number() {
        assert_eq!(replicas("orders=2"), Ok(("orders".into(), 2)));
        assert!(replicas("orders").is_err() && replicas("orders=two").is_err());
    }
}
