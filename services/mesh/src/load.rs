//! `mesh load`: places orders at a fixed rate, however the mesh responds, and measures how long each takes.
//!
//! It is an open loop: a slow answer delays no later order, and a latency counts from the time when an order was meant to be
//! sent, so that a mesh that stops for a second cannot hide it.

mod gateway;
mod generator;
mod mix;
mod report;
mod schedule;
mod tracker;
mod updates;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{sync::watch, time::Instant};

pub(crate) use generator::{Generator, Plan};
pub(crate) use mix::Mix;
pub(crate) use report::{Percentiles, Report, milliseconds};

use crate::{
    address, output,
    running::Running,
    signals::{self, Interrupts},
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh load                                       200 orders/s for a minute, against the mesh of this folder
  mesh load --rate 50 --duration 10m
  mesh load --mix tok_ok=92,tok_declined=8        declined cards do not count against the objectives; tok_slow and tok_down do
  mesh load --gateway http://shop.local --json    another mesh; orders are polled unless --nats is given, too

It waits up to 30 s for a mesh that is starting. At the end it says how many orders that were accepted did not end in time
(unfinished), and how many of them the mesh does not know (lost). The exit status is 1 if there are such, if one ended twice, or
if none was accepted.";

/// Place orders at a fixed rate, and follow each until it is completed or cancelled.
#[derive(Args)]
pub(crate) struct Options {
    /// Orders per second.
    #[arg(long, default_value_t = 200.0, value_parser = rate)]
    rate: f64,
    /// How long to place orders.
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// The gateway's URL, or several separated by commas. Default: the mesh of this folder.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = address::http)]
    gateway: Vec<String>,
    /// The URL of NATS, to see at once when orders end. Default: the mesh of this folder, unless --gateway is given.
    #[arg(long, value_name = "URL", value_parser = address::nats)]
    nats: Option<String>,
    /// The payment token of every order: tok_ok, tok_declined, tok_slow, tok_flaky, tok_down, tok_lost.
    #[arg(long, default_value = "tok_ok", conflicts_with = "mix", value_parser = mix::token)]
    token: String,
    /// Payment tokens with their weights: tok_ok=95,tok_declined=5.
    #[arg(long, value_name = "TOKEN=WEIGHT,…")]
    mix: Option<Mix>,
    /// How long to wait at the end for orders that are in progress.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// When the load began, in monotonic and in wall-clock time.
#[derive(Clone, Copy)]
struct Clock {
    begin: Instant,
    began_at: SystemTime,
}

impl Clock {
    /// The time from the beginning to `at`.
    fn since(&self, at: SystemTime) -> Duration {
        at.duration_since(self.began_at).unwrap_or_default()
    }
}

/// Parses a rate on the command line.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    let possible = rate.filter(|rate| (0.001..=100_000.0).contains(rate));
    possible.ok_or_else(|| "expected orders per second, up to 100000".into())
}

/// How often the progress bar moves.
const MOVES: Duration = Duration::from_millis(250);

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (json, duration) = (options.json, options.duration);
    let plan = plan(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Some(report) = runtime.block_on(drive(plan, duration))? else {
        return Ok(ExitCode::from(signals::IMPATIENT));
    };
    if json {
        output::json(&report)?;
    } else {
        report.lines().into_iter().for_each(output::line);
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first Ctrl-C stops sending; the second one stops waiting as well, and the result is `None`.
async fn drive(plan: Plan, duration: Duration) -> anyhow::Result<Option<Report>> {
    let mut interrupts = Interrupts::listen()?;
    let generator = tokio::select! {
        generator = Generator::prepare(plan, output::print_error) => generator?,
        _ = interrupts.next() => return Ok(None),
    };
    let bar = bar(duration, generator.is_live());
    let (stop, mut stopped) = watch::channel(false);
    let interrupted = async move {
        stopped.wait_for(|stop| *stop).await.ok();
    };
    let report = generator.run(interrupted, MOVES, |report| {
        bar.set_position(report.duration as u64);
        let ms = |of: fn(&Percentiles) -> f64| milliseconds(report.accepted_ms.as_ref().map(of));
        bar.set_message(format!(
            "{} accepted, p50 {}, p99 {}; {} on their way",
            report.accepted,
            ms(|ms| ms.p50),
            ms(|ms| ms.p99),
            report.unfinished
        ));
    });
    let report = tokio::select! {
        report = report => Some(report),
        () = async {
            interrupts.next().await;
            stop.send_replace(true);
            interrupts.next().await;
        } => None,
    };
    bar.finish_and_clear();
    Ok(report)
}

fn plan(options: Options) -> anyhow::Result<Plan> {
    let (gateway, nats) = if options.gateway.is_empty() {
        let running = Running::here()?;
        (running.gateway, options.nats.or(Some(running.nats)))
    } else {
        (options.gateway, options.nats)
    };
    let mix = options.mix.unwrap_or_else(|| Mix::only(&options.token));
    Ok(Plan {
        rate: options.rate,
        duration: Some(options.duration),
        gateway,
        nats,
        mix,
        grace: options.grace,
    })
}

fn bar(duration: Duration, live: bool) -> ProgressBar {
    if !output::is_watched() {
        return ProgressBar::hidden();
    }
    let template = if live {
        "{bar:30} {pos}/{len} s  {msg}"
    } else {
        "{bar:30} {pos}/{len} s  {msg} (ends are polled)"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(duration.as_secs().max(1)).with_style(style)
}
