//! One connection: its requests are answered in the order in which they come.

use std::{future::pending, io, net::SocketAddr, ops::RangeInclusive, sync::Arc};

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use kafka_protocol::{ResponseError, messages::ApiKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use super::{
    Node, cluster,
    coordinator::Caller,
    offsets, records,
    wire::{self, Request},
};

/// What is understood, and since and until which version. Later ones of Fetch and Produce name topics by ids.
pub(super) const APIS: [(ApiKey, RangeInclusive<i16>); 18] = [
    (ApiKey::Produce, 3..=12),
    (ApiKey::Fetch, 4..=12),
    (ApiKey::ListOffsets, 1..=7),
    (ApiKey::Metadata, 1..=12),
    (ApiKey::OffsetCommit, 2..=9),
    (ApiKey::OffsetFetch, 1..=9),
    (ApiKey::FindCoordinator, 0..=5),
    (ApiKey::JoinGroup, 0..=9),
    (ApiKey::Heartbeat, 0..=4),
    (ApiKey::LeaveGroup, 0..=5),
    (ApiKey::SyncGroup, 0..=5),
    (ApiKey::DescribeGroups, 0..=5),
    (ApiKey::ListGroups, 0..=4),
    (ApiKey::ApiVersions, 0..=4),
    (ApiKey::CreateTopics, 2..=7),
    (ApiKey::InitProducerId, 0..=4),
    (ApiKey::OffsetForLeaderEpoch, 2..=4),
    (ApiKey::DeleteGroups, 0..=2),
];

pub(super) async fn serve(node: Arc<Node>, mut stream: TcpStream, peer: SocketAddr) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "small answers to a Kafka client may be late");
    }
    let session = Session { node, host: peer.ip().to_string(), waiting: Arc::default() };
    if let Err(error) = session.run(&mut stream).await {
        tracing::warn!(%peer, error = format!("{error:#}"), "a Kafka client was cut off");
    }
}

struct Session {
    node: Arc<Node>,
    host: String,
    /// Woken when there is more of what it has fetched.
    waiting: Arc<Notify>,
}

impl Session {
    /// Until the client has gone, or said what cannot be understood.
    async fn run(&self, stream: &mut TcpStream) -> anyhow::Result<()> {
        let mut buffer = BytesMut::new();
        loop {
            let Some(frame) = wire::frame(&mut buffer)? else {
                match stream.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(_) => continue,
                }
            };
            let request = Request::parse(frame)?;
            let answer = tokio::select! {
                biased;
                answer = self.answer(&request) => answer,
                () = gone(stream, &mut buffer) => return Ok(()),
            };
            let answer =
                answer.with_context(|| format!("{:?} {}", request.key, request.version))?;
            if let Some(answer) = answer
                && stream.write_all(&answer).await.is_err()
            {
                return Ok(());
            }
        }
    }

    /// The frame to be sent, if any.
    async fn answer(&self, request: &Request) -> anyhow::Result<Option<Bytes>> {
        let version = request.version;
        let known = APIS.iter().find(|(key, _)| *key == request.key);
        match known {
            Some((_, versions)) if versions.contains(&version) => {}
            // A client may be newer than we are: it tries again with what it is told here.
            Some((ApiKey::ApiVersions, _)) => {
                let refusal = cluster::versions(ResponseError::UnsupportedVersion.code());
                return request.answer_in(0, &refusal).map(Some);
            }
            _ => bail!("a request that is not understood"),
        }
        let Node { cluster, store, groups, .. } = &*self.node;
        let answer = match request.key {
            ApiKey::Produce => match records::produce(store, request.body()?) {
                Some(response) => request.answer(&response),
                None => return Ok(None),
            },
            ApiKey::Fetch => {
                request.answer(&records::fetch(store, &self.waiting, request.body()?).await)
            }
            ApiKey::ListOffsets => request.answer(&records::list_offsets(store, request.body()?)),
            ApiKey::OffsetForLeaderEpoch => {
                request.answer(&records::epoch_ends(store, request.body()?))
            }
            ApiKey::JoinGroup => {
                let caller = Caller { client: &request.client, host: &self.host, version };
                request.answer(&groups.join(request.body()?, caller).await)
            }
            ApiKey::SyncGroup => request.answer(&groups.sync(request.body()?).await),
            ApiKey::Heartbeat => request.answer(&groups.heartbeat(&request.body()?)),
            ApiKey::LeaveGroup => request.answer(&groups.leave(request.body()?, version)),
            ApiKey::DescribeGroups => request.answer(&groups.describe(request.body()?)),
            ApiKey::DeleteGroups => request.answer(&groups.delete(store, request.body()?)),
            ApiKey::ListGroups => request.answer(&groups.list(&request.body()?)),
            ApiKey::OffsetCommit => {
                request.answer(&offsets::commit(store, groups, request.body()?))
            }
            ApiKey::OffsetFetch => {
                request.answer(&offsets::fetch(store, groups, request.body()?, version))
            }
            ApiKey::Metadata => request.answer(&cluster.metadata(store, request.body()?)),
            ApiKey::FindCoordinator => {
                request.answer(&cluster.coordinator(request.body()?, version))
            }
            ApiKey::InitProducerId => request.answer(&cluster.producer_id(&request.body()?)),
            ApiKey::CreateTopics => request.answer(&cluster::create_topics(store, request.body()?)),
            _ => request.answer(&cluster::versions(0)),
        };
        answer.map(Some)
    }
}

/// Returns when the client has gone; meanwhile reads what it has to say next.
async fn gone(stream: &mut TcpStream, buffer: &mut BytesMut) {
    while buffer.len() <= wire::LONGEST {
        let read: io::Result<usize> = stream.read_buf(buffer).await;
        if let Ok(0) | Err(_) = read {
            return;
        }
    }
    pending().await
}
