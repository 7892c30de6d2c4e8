//! One connection: its requests are answered in the order in which they arrive.

use std::{future::pending, net::SocketAddr, sync::Arc};

use anyhow::{Context, bail};
use bytes::{Buf, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, ProduceRequest},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Notify, time::timeout};

use super::{
    cluster, configs,
    coordinator::{self, Caller},
    fetch::{self, Asked},
    limits::{MAX_BATCH, WRITE_DEADLINE},
    long::{self, Long},
    node::Node,
    offsets, records,
    rope::Rope,
    topics,
    versions::versions_of,
    wire::{self, Incoming, Request},
};
use embedded_limits::{ConnectionSlot, Lease, UNLEASED, printable};

pub(super) async fn serve(
    node: Arc<Node>,
    slot: Arc<ConnectionSlot>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "small answers to a Kafka client may be late");
    }
    let session =
        Session { host: peer.ip().to_string(), waiting: Arc::default(), node: &node, slot: &slot };
    let ended = tokio::select! {
        ended = session.run(stream) => ended,
        () = slot.evicted() => Err(anyhow::anyhow!("its place was needed for a new connection")),
    };
    if let Err(error) = ended
        && let Some(suppressed) = node.log_limit.allow()
    {
        let error = printable(&format!("{error:#}"));
        tracing::warn!(%peer, error, suppressed, "a Kafka client was cut off");
    }
}

/// An answer, and the lease for its memory until it is sent.
type Answer = Option<(Rope, Option<Lease>)>;

struct Session<'a> {
    node: &'a Node,
    slot: &'a ConnectionSlot,
    host: String,
    /// Notified when there are more records in the partitions that the client fetches.
    waiting: Arc<Notify>,
}

impl Session<'_> {
    /// Runs until the client disconnects; fails on a request that is not understood.
    async fn run(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        let mut buffer = BytesMut::new();
        loop {
            let next = wire::next(&mut stream, &mut buffer, &self.node.memory).await?;
            self.slot.note_activity();
            let answer = match next {
                None => return Ok(()),
                Some(Incoming::Long(length)) => {
                    self.produce(&mut stream, &mut buffer, length).await?.map(|it| (it, None))
                }
                Some(Incoming::Whole(frame, lease)) => {
                    let request = Request::parse(frame)?;
                    let doing = async { Ok(Some(self.answer(&request).await?)) };
                    let answer: anyhow::Result<_> = tokio::select! {
                        biased;
                        answer = doing => answer,
                        () = gone(&mut stream, &mut buffer) => Ok(None),
                        () = revoked(lease.as_ref()) => bail!("others needed its memory"),
                    };
                    let about = || format!("{:?} {}", request.key, request.version);
                    match answer.with_context(about)? {
                        Some(answer) => answer,
                        None => return Ok(()),
                    }
                }
            };
            if let Some((answer, lease)) = answer
                && !self.send(&mut stream, answer, lease).await?
            {
                return Ok(());
            }
        }
    }

    async fn produce(
        &self,
        stream: &mut TcpStream,
        buffer: &mut BytesMut,
        length: usize,
    ) -> anyhow::Result<Option<Rope>> {
        let lease = self.node.memory.lease(length.min(MAX_BATCH)).await;
        let request = Long { stream, buffer, left: length, lease: &lease };
        tokio::select! {
            answer = long::produce(self.node, request) => answer,
            () = lease.revoked() => bail!("others needed the memory for half a request"),
        }
    }

    /// Returns whether the client is still connected.
    async fn send(
        &self,
        stream: &mut TcpStream,
        mut answer: Rope,
        lease: Option<Lease>,
    ) -> anyhow::Result<bool> {
        let lease = match lease {
            None if answer.remaining() > UNLEASED => {
                Some(self.node.memory.lease(answer.remaining()).await)
            }
            lease => lease,
        };
        tokio::select! {
            sent = timeout(WRITE_DEADLINE, stream.write_all_buf(&mut answer)) => match sent {
                Ok(sent) => Ok(sent.is_ok()),
                Err(_) => bail!("it did not read its answer within {WRITE_DEADLINE:?}"),
            },
            () = revoked(lease.as_ref()) => bail!("others needed the memory of an answer that it did not read"),
        }
    }

    /// The frame to send, if there is one.
    async fn answer(&self, request: &Request) -> anyhow::Result<Answer> {
        if !versions_of(request.key as i16).contains(&request.version) {
            // A client may be newer than this broker: it tries again with a version from this answer.
            if request.key == ApiKey::ApiVersions {
                let refusal = cluster::versions(ResponseError::UnsupportedVersion.code());
                let refusal = wire::answer(request.correlation, 0, &refusal)?;
                return Ok(Some((refusal, None)));
            }
            bail!("a request that is not understood");
        }
        let answer = match request.key {
            ApiKey::Fetch => {
                let asked = Asked {
                    correlation: request.correlation,
                    version: request.version,
                    memory: &self.node.memory,
                    waiting: &self.waiting,
                };
                return Ok(Some(fetch::fetch(&self.node.store, &request.body()?, asked).await?));
            }
            ApiKey::Produce => {
                let produced: ProduceRequest = request.body()?;
                match records::produce(self.node, produced) {
                    Some(response) => request.answer(&response),
                    None => return Ok(None),
                }
            }
            ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::LeaveGroup
            | ApiKey::DescribeGroups
            | ApiKey::DeleteGroups
            | ApiKey::OffsetDelete
            | ApiKey::ListGroups
            | ApiKey::ConsumerGroupHeartbeat
            | ApiKey::OffsetCommit
            | ApiKey::OffsetFetch => self.group(request).await,
            _ => self.cluster(request),
        };
        answer.map(|answer| Some((answer, None)))
    }

    async fn group(&self, request: &Request) -> anyhow::Result<Rope> {
        let Node { store, groups, .. } = self.node;
        let version = request.version;
        match request.key {
            ApiKey::JoinGroup => {
                let caller = Caller { client: &request.client, host: &self.host, version };
                request.answer(&groups.join(store, request.body()?, caller).await)
            }
            ApiKey::SyncGroup => request.answer(&groups.sync(request.body()?).await),
            ApiKey::Heartbeat => request.answer(&groups.heartbeat(&request.body()?)),
            ApiKey::LeaveGroup => request.answer(&groups.leave(request.body()?, version)),
            ApiKey::DescribeGroups => request.answer(&groups.describe(request.body()?)),
            ApiKey::DeleteGroups => request.answer(&groups.delete(store, request.body()?)),
            ApiKey::OffsetDelete => request.answer(&groups.delete_offsets(store, request.body()?)),
            ApiKey::ListGroups => request.answer(&groups.list(&request.body()?)),
            ApiKey::ConsumerGroupHeartbeat => request.answer(&coordinator::new_protocol()),
            ApiKey::OffsetCommit => {
                request.answer(&offsets::commit(store, groups, request.body()?))
            }
            _ => request.answer(&offsets::fetch(store, groups, request.body()?, version)),
        }
    }

    fn cluster(&self, request: &Request) -> anyhow::Result<Rope> {
        let Node { cluster, store, .. } = self.node;
        let version = request.version;
        match request.key {
            ApiKey::ListOffsets => {
                request.answer(&records::list_offsets(store, request.body()?, version))
            }
            ApiKey::OffsetForLeaderEpoch => {
                request.answer(&records::epoch_ends(store, request.body()?))
            }
            ApiKey::Metadata => request.answer(&cluster.metadata(store, request.body()?)),
            ApiKey::DescribeCluster => request.answer(&cluster.describe(&request.body()?)),
            ApiKey::FindCoordinator => {
                request.answer(&cluster.coordinator(request.body()?, version))
            }
            ApiKey::InitProducerId => request.answer(&cluster.producer_id(&request.body()?)),
            ApiKey::CreateTopics => request.answer(&topics::create(store, request.body()?)),
            ApiKey::CreatePartitions => request.answer(&topics::grow(store, request.body()?)),
            ApiKey::DeleteTopics => request.answer(&topics::delete(store, request.body()?)),
            ApiKey::DeleteRecords => {
                request.answer(&topics::delete_records(store, request.body()?))
            }
            ApiKey::DescribeConfigs => request.answer(&configs::describe(store, request.body()?)),
            ApiKey::ApiVersions => request.answer(&cluster::versions(0)),
            _ => bail!("a request that is not understood"),
        }
    }
}

/// Waits until the lease is revoked; without a lease, never returns.
async fn revoked(lease: Option<&Lease>) {
    match lease {
        Some(lease) => lease.revoked().await,
        None => pending().await,
    }
}

/// Returns when the client has disconnected; meanwhile buffers its next requests.
async fn gone(stream: &mut TcpStream, buffer: &mut BytesMut) {
    while buffer.len() <= UNLEASED {
        if wire::read(stream, buffer).await.is_err() {
            return;
        }
    }
    pending().await
}
