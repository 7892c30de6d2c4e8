//! The command line: the commands, and the file that implements each.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    alerts, audit, completions, config, dlq, export, health, import, load, logs, outbox, output,
    query, service::Service, services, status, topics, trace, up,
};

/// A small, real system of microservices in which everything that happens can be seen.
#[derive(Parser)]
#[command(name = "mesh", version = VERSION, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("GLASSMESH_COMMIT"), ")");

const EXAMPLES: &str = "\
Examples:
  mesh up                     start the whole mesh, with nothing installed
  mesh load --rate 50         place orders, in another terminal
  mesh trace ORDER            show the trace of an order
  mesh logs orders -f         show the log of a service
  mesh alerts                 show what is wrong, and where to read what to do
  mesh query up               evaluate PromQL over the metrics of the last half hour
  mesh status                 show the processes and their memory
  mesh export run.zip         write the traces, logs and metrics to a file; mesh up --replay run.zip shows them
  mesh audit                  check that nothing was lost or done twice
  mesh services               list the services, with their ports, calls and topics
  mesh topics                 create the topics on your own Kafka
  mesh health URL             check the health of one service, as a container does
  mesh orders                 run one service, as a container does";

#[derive(Subcommand)]
enum Command {
    #[command(after_help = up::EXAMPLES)]
    Up(up::Options),
    #[command(after_help = status::EXAMPLES)]
    Status(status::Options),
    #[command(after_help = load::EXAMPLES)]
    Load(load::Options),
    #[command(after_help = trace::EXAMPLES)]
    Trace(trace::Options),
    #[command(after_help = logs::EXAMPLES)]
    Logs(logs::Options),
    #[command(after_help = alerts::EXAMPLES)]
    Alerts(alerts::Options),
    #[command(after_help = query::EXAMPLES)]
    Query(query::Options),
    #[command(after_help = export::EXAMPLES)]
    Export(export::Options),
    #[command(after_help = import::EXAMPLES)]
    Import(import::Options),
    #[command(after_help = audit::EXAMPLES)]
    Audit(audit::Options),
    #[command(after_help = dlq::EXAMPLES)]
    Dlq(dlq::Options),
    #[command(after_help = outbox::EXAMPLES)]
    Outbox(outbox::Options),
    #[command(after_help = services::EXAMPLES)]
    Services(services::Options),
    #[command(after_help = config::EXAMPLES)]
    Config(config::Options),
    #[command(after_help = topics::EXAMPLES)]
    Topics(topics::Options),
    #[command(after_help = health::EXAMPLES)]
    Health(health::Options),
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::Options),
    #[command(flatten)]
    Service(Service),
}

pub(crate) fn run() -> ExitCode {
    output::finish(parse_and_run())
}

fn parse_and_run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // `--help` and `--version` also end here; they are answers and go to standard output.
        Err(answer) => {
            let printed = answer.print();
            if !answer.use_stderr() {
                output::note(printed);
            }
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(1));
        }
    };
    let done = match cli.command {
        Command::Up(options) => up::run(options),
        Command::Status(options) => status::run(&options),
        Command::Load(options) => load::run(options),
        Command::Trace(options) => trace::run(&options),
        Command::Logs(options) => logs::run(&options),
        Command::Alerts(options) => alerts::run(&options),
        Command::Query(options) => query::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Audit(options) => audit::run(&options),
        Command::Dlq(options) => dlq::run(options),
        Command::Outbox(options) => outbox::run(options),
        Command::Services(options) => services::run(&options),
        Command::Config(options) => config::run(&options),
        Command::Topics(options) => topics::run(&options),
        Command::Health(options) => health::run(&options),
        Command::Completions(options) => completions::run(&options, command()),
        Command::Service(service) => Ok(service.run()),
    };
    done.unwrap_or_else(|error| {
        output::print_error(format!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// The whole command line.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_a_purpose_and_an_example() {
        for command in command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} does not say what it is for");
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains(&format!("mesh {name}")), "{name} has no example");
        }
    }
}
