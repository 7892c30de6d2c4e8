//! The settings of topics and of the broker: clients can read them, but not change them.

use std::collections::BTreeSet;

use kafka_protocol::{
    ResponseError,
    messages::{
        DescribeConfigsRequest, DescribeConfigsResponse,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    },
    protocol::StrBytes,
};

use super::{cluster::NODE, limits::MAX_BATCH, store::Store};
use embedded_limits::printable;

/// The types of resources that a client may ask about.
mod kind {
    pub(super) const TOPIC: i8 = 2;
    pub(super) const BROKER: i8 = 4;
}

/// The source of every value: the default, which cannot be changed.
const DEFAULT: i8 = 5;

/// The type of a value: <https://kafka.apache.org/protocol#The_Messages_DescribeConfigs>
#[derive(Clone, Copy)]
enum Type {
    Boolean = 1,
    Text = 2,
    Integer = 3,
    Long = 5,
    List = 7,
}

/// A setting: its name, its type and its value.
type Setting = (&'static str, Type, &'static str);

/// The settings of every topic. Retention depends on which groups read the topic, which Kafka's settings cannot express.
const TOPIC: &[Setting] = &[
    ("cleanup.policy", Type::List, "delete"),
    ("compression.type", Type::Text, "producer"),
    ("max.message.bytes", Type::Integer, "1048588"),
    ("message.timestamp.type", Type::Text, "CreateTime"),
    ("min.insync.replicas", Type::Integer, "1"),
    ("retention.bytes", Type::Long, "-1"),
    ("retention.ms", Type::Long, "-1"),
    ("unclean.leader.election.enable", Type::Boolean, "false"),
];

const BROKER: &[Setting] = &[
    ("auto.create.topics.enable", Type::Boolean, "false"),
    ("compression.type", Type::Text, "producer"),
    ("default.replication.factor", Type::Integer, "1"),
    ("delete.topic.enable", Type::Boolean, "true"),
    ("group.max.session.timeout.ms", Type::Integer, "1800000"),
    ("message.max.bytes", Type::Integer, "1048588"),
    ("num.partitions", Type::Integer, "1"),
    ("offset.metadata.max.bytes", Type::Integer, "4096"),
    ("socket.request.max.bytes", Type::Integer, "104857600"),
];

const _: () = assert!(MAX_BATCH == 1_048_588);

/// Checks a setting of a new topic: only the fixed value is accepted.
///
/// # Errors
/// The setting is unknown or has another value; the text says which value it has here.
pub(super) fn check(name: &str, value: Option<&str>) -> Result<(), String> {
    let known = TOPIC.iter().find(|(known, ..)| *known == name);
    match (known, value) {
        (Some((_, _, fixed)), Some(value)) if *fixed == value => Ok(()),
        (Some(_), None) => Ok(()),
        (Some((name, _, fixed)), _) => Err(format!("{name} is {fixed} here, and cannot be set")),
        (None, _) => Err(format!("{} cannot be set here", printable(name))),
    }
}

pub(super) fn describe(store: &Store, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    // Each resource once, however often the request names it.
    let mut asked = BTreeSet::new();
    let resources = request.resources.into_iter();
    let resources = resources
        .filter(|one| asked.insert((one.resource_type, one.resource_name.clone())))
        .map(|one| described(store, one));
    DescribeConfigsResponse::default().with_results(resources.collect())
}

fn described(store: &Store, resource: DescribeConfigsResource) -> DescribeConfigsResult {
    let name = &*resource.resource_name;
    let is_us = name.is_empty() || name == NODE.0.to_string();
    let found = match resource.resource_type {
        kind::TOPIC if store.partitions(name).is_some() => Ok(TOPIC),
        kind::TOPIC => Err(ResponseError::UnknownTopicOrPartition),
        kind::BROKER if is_us => Ok(BROKER),
        _ => Err(ResponseError::InvalidRequest),
    };
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    match found {
        Ok(settings) => {
            let keys = &resource.configuration_keys;
            let is_wanted = |name: &str| {
                keys.as_ref()
                    .is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| **key == *name))
            };
            let settings = settings.iter().filter(|(name, ..)| is_wanted(name)).map(setting);
            result.with_configs(settings.collect())
        }
        Err(error) => {
            let message = StrBytes::from(error.to_string());
            result.with_error_code(error.code()).with_error_message(Some(message))
        }
    }
}

fn setting(&(name, kind, value): &Setting) -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str(name))
        .with_value(Some(StrBytes::from_static_str(value)))
        .with_read_only(true)
        .with_config_source(DEFAULT)
        .with_config_type(kind as i8)
}
