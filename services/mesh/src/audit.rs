//! `mesh audit`: proves from the ledgers of all services that nothing was lost and nothing happened twice.

mod ledgers;
mod reconcile;

use std::{process::ExitCode, time::Duration};

use chassis::text::printable;
use clap::Args;
use tokio::time::{Instant, sleep};

use self::{
    ledgers::Addresses,
    reconcile::{Verdict, reconcile},
};
use crate::{address, output, running::Running};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh audit
  mesh audit --wait 30s        first wait until every order has ended
  mesh audit --json | jq '.differences[].order_id'
  mesh audit --orders http://orders:9090 --payments http://payments:9090 \\
             --inventory http://inventory:9090 --shipping http://shipping:9090

The exit status is 1 if the ledgers differ, or an order has not ended.";

/// Reconcile orders, payments, reservations and shipments.
///
/// A completed order must be paid, taken from the stock and delivered, each once. For a cancelled order, each of these steps
/// must be undone. Nothing may have been done for an order that does not exist.
#[derive(Args)]
pub(crate) struct Options {
    /// How long to wait for orders that have not ended.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// The gRPC address of orders. Default, here and below: the mesh of this folder.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = address::http)]
    orders: Vec<String>,
    /// The gRPC address of payments.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = address::http)]
    payments: Vec<String>,
    /// The gRPC address of inventory.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = address::http)]
    inventory: Vec<String>,
    /// The gRPC address of shipping.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = address::http)]
    shipping: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Order ids are UUIDs; a ledger with other ids is shown all the same, with each id cut to this length.
const LONGEST_ID: usize = 64;
/// The pause between two checks of orders that have not ended.
const AGAIN: Duration = Duration::from_millis(250);

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let addresses = addresses(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let verdict = runtime.block_on(settle(&addresses, options.wait))?;
    if options.json {
        output::json(&verdict)?
    } else {
        print(&verdict)
    }
    let good = verdict.open == 0 && verdict.differences.is_empty();
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn addresses(options: &Options) -> anyhow::Result<Addresses> {
    let given = [&options.orders, &options.payments, &options.inventory, &options.shipping];
    let running = if given.iter().any(|addresses| addresses.is_empty()) {
        Some(Running::here()?)
    } else {
        None
    };
    let of = |service: &str, given: &[String]| match &running {
        Some(running) if given.is_empty() => running.grpc.get(service).cloned().unwrap_or_default(),
        _ => given.to_vec(),
    };
    Ok(Addresses {
        orders: of("orders", &options.orders),
        payments: of("payments", &options.payments),
        inventory: of("inventory", &options.inventory),
        shipping: of("shipping", &options.shipping),
    })
}

/// The last verdict: the first one without open orders and differences, or the one when the time is over. While there is time, a
/// ledger that cannot be read is tried again: its service may be starting.
async fn settle(addresses: &Addresses, wait: Duration) -> anyhow::Result<Verdict> {
    let end = Instant::now() + wait;
    loop {
        let verdict = addresses.read().await.map(|ledgers| reconcile(&ledgers));
        let settled = verdict
            .as_ref()
            .is_ok_and(|verdict| verdict.open == 0 && verdict.differences.is_empty());
        if settled || Instant::now() >= end {
            return verdict;
        }
        sleep(AGAIN).await;
    }
}

fn print(verdict: &Verdict) {
    for difference in &verdict.differences {
        let order = printable(&difference.order_id, LONGEST_ID);
        output::line(format_args!("order {order} {}", difference.what));
    }
    output::line(summary(verdict));
}

fn summary(verdict: &Verdict) -> String {
    let Verdict { orders, open, differences, .. } = verdict;
    format!("audit: {orders} orders, {open} open, {} differences", differences.len())
}
