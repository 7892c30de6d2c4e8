//! Requests of operators about topics, answered as by the only broker of a cluster.

use std::collections::BTreeSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        BrokerId, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
        CreateTopicsResponse, DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest,
        DeleteTopicsResponse,
        create_partitions_request::CreatePartitionsTopic,
        create_partitions_response::CreatePartitionsTopicResult,
        create_topics_request::CreatableTopic,
        create_topics_response::CreatableTopicResult,
        delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
        delete_topics_response::DeletableTopicResult,
    },
    protocol::StrBytes,
};

use super::{cluster::NODE, configs, store::Store, wire::code};

/// The value that leaves the choice to the broker.
const DEFAULT: i32 = -1;
/// The number of partitions if the client leaves it to the broker.
const DEFAULT_PARTITIONS: i32 = 1;

/// Why a request cannot be fulfilled.
type Refusal = (ResponseError, String);

pub(super) fn create(store: &Store, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let only_checked = request.validate_only;
    let mut named = BTreeSet::new();
    let twice: BTreeSet<_> = request
        .topics
        .iter()
        .filter(|topic| !named.insert(topic.name.clone()))
        .map(|topic| topic.name.clone())
        .collect();
    let topics = request.topics.iter().map(|topic| {
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        let done = if twice.contains(&topic.name) {
            Err((ResponseError::InvalidRequest, "the topic is named twice".to_owned()))
        } else {
            create_one(store, topic, only_checked)
        };
        match done {
            Ok(count) => result.with_num_partitions(count).with_replication_factor(1),
            Err((error, why)) => {
                result.with_error_code(error.code()).with_error_message(Some(why.into()))
            }
        }
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

/// Creates a topic; returns its number of partitions.
fn create_one(store: &Store, topic: &CreatableTopic, only_checked: bool) -> Result<i32, Refusal> {
    let chosen = topic.assignments.iter().map(|one| (one.partition_index, &one.broker_ids[..]));
    let chosen: Vec<_> = chosen.collect();
    let count = match (chosen.len(), topic.num_partitions) {
        (0, DEFAULT) => DEFAULT_PARTITIONS,
        (0, count) => count,
        (count, DEFAULT) => i32::try_from(count).unwrap_or(0),
        _ => {
            let why = "both a number of partitions and where they are";
            return Err((ResponseError::InvalidRequest, why.into()));
        }
    };
    if !matches!(i32::from(topic.replication_factor), DEFAULT | 1) {
        let why = format!("replication factor {} with one broker", topic.replication_factor);
        return Err((ResponseError::InvalidReplicationFactor, why));
    }
    let mut indexes: Vec<_> = chosen.iter().map(|(index, _)| *index).collect();
    indexes.sort_unstable();
    let are_all = indexes.iter().copied().eq(0..i32::try_from(indexes.len()).unwrap_or(0));
    if !are_all || !chosen.iter().all(|(_, brokers)| is_here(brokers)) {
        let why = "all partitions are on broker 1";
        return Err((ResponseError::InvalidReplicaAssignment, why.into()));
    }
    for config in &topic.configs {
        configs::check(&config.name, config.value.as_deref())
            .map_err(|why| (ResponseError::InvalidConfig, why))?;
    }
    let wanted = usize::try_from(count).unwrap_or(0);
    let done = store.create(&topic.name, wanted, only_checked);
    done.map_err(|error| (error, error.to_string())).map(|()| count)
}

fn is_here(brokers: &[BrokerId]) -> bool {
    brokers == [NODE]
}

pub(super) fn grow(store: &Store, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let grow = |topic: &CreatePartitionsTopic| {
        let assignments = topic.assignments.iter().flatten();
        if !assignments.map(|one| &one.broker_ids).all(|brokers| is_here(brokers)) {
            return Err(ResponseError::InvalidReplicaAssignment);
        }
        let count = usize::try_from(topic.count).unwrap_or(0);
        store.grow(&topic.name, count, request.validate_only)
    };
    let results = request.topics.iter().map(|topic| {
        let done = grow(topic);
        let message = done.as_ref().err().map(|error| StrBytes::from(error.to_string()));
        CreatePartitionsTopicResult::default()
            .with_name(topic.name.clone())
            .with_error_code(code(&done))
            .with_error_message(message)
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

pub(super) fn delete(store: &Store, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let responses = request.topic_names.into_iter().map(|name| {
        let done = store.delete(&name);
        let message = done.as_ref().err().map(|error| StrBytes::from(error.to_string()));
        DeletableTopicResult::default()
            .with_name(Some(name))
            .with_error_code(code(&done))
            .with_error_message(message)
    });
    DeleteTopicsResponse::default().with_responses(responses.collect())
}

pub(super) fn delete_records(
    store: &Store,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let index = partition.partition_index;
            let done = store.change(&topic.name, index, |log| log.delete_before(partition.offset));
            let done = done.flatten();
            DeleteRecordsPartitionResult::default()
                .with_partition_index(index)
                .with_low_watermark(done.unwrap_or(-1))
                .with_error_code(code(&done))
        });
        let partitions = partitions.collect();
        DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}
