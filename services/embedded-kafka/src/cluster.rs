//! What a client asks first: versions, brokers, topics, coordinators, producer ids.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
};

use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, ApiVersionsResponse, BrokerId, DescribeClusterRequest, DescribeClusterResponse,
        FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest,
        InitProducerIdResponse, MetadataRequest, MetadataResponse, ProducerId, TopicName,
        api_versions_response::ApiVersion,
        describe_cluster_response::DescribeClusterBroker,
        find_coordinator_response::Coordinator,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    protocol::StrBytes,
};

use super::{batch::LEADER_EPOCH, store::Store, versions::APIS, wire::code};

/// The id of the only broker.
pub(super) const NODE: BrokerId = BrokerId(1);
/// The key type of group coordinators, the only ones here.
const OF_GROUPS: i8 = 0;
/// The key type of transaction coordinators; there are none.
const OF_TRANSACTIONS: i8 = 1;
/// The endpoint type of brokers; clients never talk to a controller.
const OF_BROKERS: i8 = 1;
/// From this version on, a client may ask for several coordinators at once.
const SEVERAL_KEYS: i16 = 4;

/// The message with which a coordinator is refused.
const ONLY_GROUPS: &str = "this broker has neither transactions nor share groups";

/// The identity of this broker.
pub(super) struct Cluster {
    pub(super) address: SocketAddr,
    pub(super) id: String,
    pub(super) producers: AtomicI64,
}

/// The supported versions; with `error` if the request's own version is not supported.
pub(super) fn versions(error: i16) -> ApiVersionsResponse {
    let versions = APIS.iter().map(|(key, versions)| {
        // librdkafka before 2.8 assumes that a broker without version 0 of Produce cannot compress.
        let min = if *key == ApiKey::Produce { 0 } else { *versions.start() };
        ApiVersion::default()
            .with_api_key(*key as i16)
            .with_min_version(min)
            .with_max_version(*versions.end())
    });
    ApiVersionsResponse::default().with_error_code(error).with_api_keys(versions.collect())
}

impl Cluster {
    fn host(&self) -> StrBytes {
        StrBytes::from(self.address.ip().to_string())
    }

    fn port(&self) -> i32 {
        i32::from(self.address.port())
    }

    pub(super) fn metadata(&self, store: &Store, request: MetadataRequest) -> MetadataResponse {
        let every = || {
            let topics = store.topics().into_iter();
            topics.map(|(name, _)| Some(TopicName(StrBytes::from(name)))).collect()
        };
        let named: Vec<_> = match request.topics {
            Some(topics) => topics.into_iter().map(|topic| topic.name).collect(),
            None => every(),
        };
        // Each topic once, however often the request names it.
        let mut asked = BTreeSet::new();
        let named = named.into_iter().filter(|name| asked.insert(name.clone()));
        let topics = named.map(|name| match &name {
            Some(known) => match store.partitions(known) {
                Some(count) => described(count),
                None => refused(ResponseError::UnknownTopicOrPartition),
            }
            .with_name(name),
            None => refused(ResponseError::UnknownTopicId).with_name(Some(TopicName::default())),
        });
        let broker = MetadataResponseBroker::default()
            .with_node_id(NODE)
            .with_host(self.host())
            .with_port(self.port());
        MetadataResponse::default()
            .with_brokers(vec![broker])
            .with_cluster_id(Some(StrBytes::from(self.id.clone())))
            .with_controller_id(NODE)
            .with_topics(topics.collect())
    }

    pub(super) fn coordinator(
        &self,
        request: FindCoordinatorRequest,
        version: i16,
    ) -> FindCoordinatorResponse {
        let known = match request.key_type {
            OF_GROUPS => Ok(()),
            // The one error that all clients treat as final.
            OF_TRANSACTIONS => Err(ResponseError::TransactionalIdAuthorizationFailed),
            _ => Err(ResponseError::InvalidRequest),
        };
        let message = known.as_ref().err().map(|_| StrBytes::from_static_str(ONLY_GROUPS));
        let response = FindCoordinatorResponse::default();
        if version < SEVERAL_KEYS {
            return response
                .with_error_code(code(&known))
                .with_error_message(message)
                .with_node_id(NODE)
                .with_host(self.host())
                .with_port(self.port());
        }
        let each = request.coordinator_keys.into_iter().map(|key| {
            Coordinator::default()
                .with_key(key)
                .with_error_code(code(&known))
                .with_error_message(message.clone())
                .with_node_id(NODE)
                .with_host(self.host())
                .with_port(self.port())
        });
        response.with_coordinators(each.collect())
    }

    pub(super) fn describe(&self, request: &DescribeClusterRequest) -> DescribeClusterResponse {
        let response = DescribeClusterResponse::default();
        if request.endpoint_type != OF_BROKERS {
            return response.with_error_code(ResponseError::MismatchedEndpointType.code());
        }
        let broker = DescribeClusterBroker::default().with_broker_id(NODE);
        response
            .with_cluster_id(StrBytes::from(self.id.clone()))
            .with_controller_id(NODE)
            .with_brokers(vec![broker.with_host(self.host()).with_port(self.port())])
    }

    /// A new id for each request: no partition needs to recognize a producer by its previous id.
    pub(super) fn producer_id(&self, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        let response = InitProducerIdResponse::default();
        if request.transactional_id.is_some() {
            // This error is final: there are no transactions here.
            let refusal = ResponseError::TransactionalIdAuthorizationFailed;
            return response.with_error_code(refusal.code()).with_producer_id(ProducerId(-1));
        }
        let id = self.producers.fetch_add(1, Relaxed);
        response.with_producer_id(ProducerId(id)).with_producer_epoch(0)
    }
}

fn described(count: usize) -> MetadataResponseTopic {
    let partitions = (0..i32::try_from(count).unwrap_or(0)).map(|index| {
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE)
            .with_leader_epoch(LEADER_EPOCH)
            .with_replica_nodes(vec![NODE])
            .with_isr_nodes(vec![NODE])
    });
    MetadataResponseTopic::default().with_partitions(partitions.collect())
}

fn refused(error: ResponseError) -> MetadataResponseTopic {
    MetadataResponseTopic::default().with_error_code(error.code())
}
