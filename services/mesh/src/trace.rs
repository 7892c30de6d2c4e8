//! `mesh trace`: shows an order's trace on a terminal, read from lens or Jaeger.

mod tree;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail, ensure};
use clap::Args;
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};

use self::tree::Trace;
use crate::{address, output, running::Running, status};

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh trace db7d2de3-c4a4-58b6-b3d8-76791102ab38      the trace of an order
  mesh trace d34735d94e1c100b6b37ee60ee29e8cb --all    a trace, with the spans inside the services
  mesh trace d34735d94e1c100b6b37ee60ee29e8cb --jaeger http://127.0.0.1:16686";

/// Show the trace of an order, across all services and buses.
#[derive(Args)]
pub(crate) struct Options {
    /// The id of an order or of a trace.
    #[arg(value_name = "ORDER|TRACE")]
    id: String,
    /// Show every span: both sides of each call, SQL statements, work inside a service.
    #[arg(long)]
    all: bool,
    /// The URL of lens or Jaeger, which has the traces. Default: lens of the mesh in this folder.
    #[arg(long, value_name = "URL", value_parser = address::http)]
    jaeger: Option<String>,
    /// The gateway's URL, to find the trace of an order. Default: the mesh of this folder.
    #[arg(long, value_name = "URL", value_parser = address::http)]
    gateway: Option<String>,
}

#[derive(Deserialize)]
struct Traces {
    data: Vec<Trace>,
}

#[derive(Deserialize)]
struct Flows {
    items: Vec<Flow>,
}

#[derive(Deserialize)]
struct Flow {
    id: String,
    trace_id: String,
}

/// The maximum of lens.
const MOST_FLOWS: usize = 1_000;

#[derive(Deserialize)]
struct Order {
    trace_id: String,
}

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let trace = runtime.block_on(find(options))?;
    for line in trace.to_lines(options.all, output::width()) {
        output::line(line);
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(options: &Options) -> anyhow::Result<Trace> {
    let client = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
    let lens = match &options.jaeger {
        Some(_) => None,
        None => Some(status::lens().await.context("--jaeger says where traces are")?),
    };
    let id = trace_id(&client, options, lens.as_deref()).await?;
    let jaeger = options.jaeger.clone().or(lens).unwrap_or_default();
    let url = format!("{}/api/traces/{id}", jaeger.trim_end_matches('/'));
    let found: Option<Traces> = get(&client, &url).await?;
    let trace = found.and_then(|traces| traces.data.into_iter().next());
    trace.with_context(|| {
        format!(
            "{jaeger} has no trace {id}; spans arrive within a second, and the oldest are forgotten"
        )
    })
}

/// The trace id: the given id itself, or that of the order's trace. Lens is asked first: of a replay, there is no service that knows
/// the order.
async fn trace_id(
    client: &reqwest::Client,
    options: &Options,
    lens: Option<&str>,
) -> anyhow::Result<String> {
    let id = options.id.trim();
    if is_trace(id) {
        return Ok(id.to_ascii_lowercase());
    }
    ensure!(
        uuid::Uuid::try_parse(id).is_ok(),
        "{id:?} is neither a trace (32 hexadecimal digits) nor an order (a UUID)"
    );
    if options.gateway.is_none()
        && let Some(lens) = lens
        && let Some(flow) = flow(client, lens, id).await?
    {
        return Ok(flow.trace_id);
    }
    let gateway = match &options.gateway {
        Some(url) => url.clone(),
        None => Running::here()?.gateway.into_iter().next().context("this mesh has no gateway")?,
    };
    let url = format!("{}/api/orders/{id}", gateway.trim_end_matches('/'));
    let order: Option<Order> = get(client, &url).await?;
    let trace = order.with_context(|| format!("{gateway} knows no order {id}"))?.trace_id;
    ensure!(is_trace(&trace), "{gateway} says that {trace:?} is the trace of order {id}");
    Ok(trace)
}

/// The order's flow, if it is one of the last.
async fn flow(client: &reqwest::Client, lens: &str, id: &str) -> anyhow::Result<Option<Flow>> {
    let url = format!("{}/lens/v1/flows?limit={MOST_FLOWS}", lens.trim_end_matches('/'));
    let flows: Option<Flows> = get(client, &url).await?;
    let mut flows = flows.into_iter().flat_map(|flows| flows.items);
    Ok(flows.find(|flow| flow.id.eq_ignore_ascii_case(id)))
}

fn is_trace(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns `None` for 404.
async fn get<T: DeserializeOwned>(
    client: &reqwest::Client,
    url: &str,
) -> anyhow::Result<Option<T>> {
    let answer = client.get(url).send().await.with_context(|| format!("{url} does not answer"))?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_success() => {
            answer.json().await.map(Some).with_context(|| format!("cannot read {url}"))
        }
        status => bail!("{url} answered {status}"),
    }
}
