//! One channel to all replicas behind a name: the name is resolved repeatedly, and replicas that refuse connections are left
//! out.
//!
//! A single HTTP/2 connection to a name would use the same replica for as long as that replica lives.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use http::Uri;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tonic::transport::{Channel, Endpoint, channel::Change};

use super::Endpoints;
use crate::server::HEADER_LIST;

/// The interval of resolving names and probing replicas: a new pod gets calls after a second, a dead one stops getting them.
const INTERVAL: Duration = Duration::from_secs(1);
/// A replica on the same network that does not accept a connection within this time is considered dead.
const PROBE: Duration = Duration::from_millis(500);
/// Long enough on a loaded laptop; a call's own deadline is usually earlier.
const CONNECT: Duration = Duration::from_secs(2);
/// The interval of pings that detect a peer that vanished without closing.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

type Changes = mpsc::Sender<Change<SocketAddr, Endpoint>>;

/// A channel, and the task that keeps its replicas up to date.
pub(super) fn channel(endpoints: &Endpoints) -> (Channel, impl Future<Output = ()> + Send + use<>) {
    let (channel, changes) = Channel::balance_channel(64);
    (channel, keep(endpoints.uris().to_vec(), changes))
}

async fn keep(uris: Vec<Uri>, changes: Changes) {
    let mut known = BTreeSet::new();
    loop {
        let found = resolve(&uris).await;
        let wanted = alive(&found).await;
        // If no replica answers its probe, calls try them all. If no name resolves, nothing changes.
        let wanted = if wanted.is_empty() { found } else { wanted };
        if !wanted.is_empty() {
            for gone in known.difference(&wanted) {
                if changes.send(Change::Remove(*gone)).await.is_err() {
                    return;
                }
            }
            for new in wanted.difference(&known) {
                if changes.send(Change::Insert(*new, endpoint(*new))).await.is_err() {
                    return;
                }
            }
            known = wanted;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn resolve(uris: &[Uri]) -> BTreeSet<SocketAddr> {
    let mut found = BTreeSet::new();
    for uri in uris {
        let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else { continue };
        match tokio::net::lookup_host((host, port)).await {
            Ok(addresses) => found.extend(addresses),
            Err(error) => tracing::debug!(%uri, %error, "a name cannot be resolved"),
        }
    }
    found
}

/// The replicas that accept connections. A single one is not probed, since there is no other choice.
async fn alive(found: &BTreeSet<SocketAddr>) -> BTreeSet<SocketAddr> {
    if found.len() < 2 {
        return found.clone();
    }
    let probes = found.iter().map(|address| async move {
        let connected = timeout(PROBE, TcpStream::connect(address)).await;
        matches!(connected, Ok(Ok(_))).then_some(*address)
    });
    futures::future::join_all(probes).await.into_iter().flatten().collect()
}

fn endpoint(address: SocketAddr) -> Endpoint {
    let uri =
        Uri::builder().scheme("http").authority(address.to_string()).path_and_query("/").build();
    Endpoint::from(uri.expect("made of an address, and so valid"))
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        // More than any service here sends: headers beyond the limit would end the connection, and other calls with it.
        .http2_max_header_list_size(HEADER_LIST)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
}
