//! What the mesh expects of Kafka, as stories: each runs against the embedded broker, and again against Apache Kafka.
//!
//! The real lane sets `REAL_KAFKA` to the address of a broker and runs the tests that are ignored here:
//! `cargo test -p mesh --test kafka -- --ignored real::`. Every story has topics and groups of its own.
//!
//! Another lane runs foreign clients against the embedded broker: `kafka/clients.sh install`, and then the same command with
//! `foreign::`.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod administration;
mod apis;
mod broker;
mod clients;
mod groups;
mod memory;
mod offsets;
mod producers;
mod records;
mod strangers;
mod wire;

macro_rules! on_both_brokers {
    ($($chapter:ident { $($story:ident),+ $(,)? })+) => {
        mod embedded {
            $(mod $chapter {
                $(#[test]
                fn $story() {
                    crate::$chapter::$story(crate::broker::Broker::embedded());
                })+
            })+
        }

        mod real {
            $(mod $chapter {
                $(#[test]
                #[ignore = "needs Apache Kafka; the real lane runs it"]
                fn $story() {
                    crate::$chapter::$story(crate::broker::Broker::real());
                })+
            })+
        }
    };
}

on_both_brokers! {
    apis {
        every_advertised_version_is_answered,
    }
    records {
        records_are_consumed_in_order_with_key_headers_and_time,
        a_waiting_consumer_is_woken_by_the_record,
        compressed_records_are_delivered,
        a_batch_over_the_fetch_limit_is_delivered,
        a_record_that_is_too_large_is_refused,
        an_unknown_topic_is_refused,
        creating_an_existing_topic_is_refused,
        brokers_topics_and_watermarks_are_described,
        an_offset_is_found_by_timestamp,
    }
    offsets {
        the_next_member_reads_the_committed_offset,
        a_group_resumes_at_its_committed_offset,
        an_offset_out_of_range_is_reset,
        a_non_member_cannot_commit_for_an_active_group,
        a_group_without_members_can_be_deleted,
    }
    groups {
        range_members_share_partitions_and_take_over,
        cooperative_members_share_partitions_and_take_over,
        the_partitions_of_a_dead_member_are_reassigned,
        an_unknown_member_and_an_old_generation_are_refused,
        groups_are_listed_with_their_members,
    }
    producers {
        an_idempotent_producer_sends_everything_once,
        a_repeated_batch_of_an_idempotent_producer_is_stored_once,
        a_sequence_gap_and_a_stale_epoch_are_refused,
        a_batch_with_a_wrong_checksum_is_refused,
        a_producer_with_acks_0_gets_no_response,
    }
    administration {
        validate_only_creates_no_topic,
        partitions_are_added_and_a_topic_is_deleted,
        deleted_records_are_gone_and_others_remain,
        a_group_without_members_is_listed_and_described,
        a_large_record_is_refused_and_a_large_request_of_small_ones_is_not,
    }
    strangers {
        an_unknown_api_version_is_answered_with_the_supported_ones,
        requests_are_answered_in_order,
    }
}

#[test]
fn random_bytes_close_only_their_own_connection() {
    strangers::random_bytes_close_only_their_own_connection(&broker::Broker::embedded());
}

#[test]
fn an_oversized_request_closes_the_connection() {
    strangers::an_oversized_request_closes_the_connection(&broker::Broker::embedded());
}

#[test]
fn damaged_requests_close_only_their_own_connections() {
    if !harness::is_alone("damaged_requests_close_only_their_own_connections") {
        return;
    }
    strangers::damaged_requests_close_only_their_own_connections(broker::Broker::embedded());
}

#[test]
fn half_frames_and_slow_readers_use_bounded_memory() {
    // The test measures the process: clients of other tests would be measured, too.
    if !harness::is_alone("half_frames_and_slow_readers_use_bounded_memory") {
        return;
    }
    memory::half_frames_and_slow_readers_use_bounded_memory(&broker::Broker::embedded());
}

#[test]
fn one_connection_too_many_replaces_the_most_idle() {
    memory::one_connection_too_many_replaces_the_most_idle(&broker::Broker::embedded());
}

#[test]
fn a_transaction_is_refused_with_a_fatal_error() {
    administration::a_transaction_is_refused_with_a_fatal_error(&broker::Broker::embedded());
}

#[test]
fn a_group_of_the_new_protocol_is_refused_with_a_fatal_error() {
    let broker = broker::Broker::embedded();
    administration::a_group_of_the_new_protocol_is_refused_with_a_fatal_error(&broker);
}

#[test]
fn a_foreign_group_expires_and_blocks_no_producer() {
    administration::a_foreign_group_expires_and_blocks_no_producer();
}

#[test]
fn a_full_broker_names_the_group_it_waits_for() {
    administration::a_full_broker_names_the_group_it_waits_for();
}

macro_rules! foreign {
    ($($client:ident),+ $(,)?) => {
        mod foreign {
            $(#[test]
            #[ignore = "needs foreign clients; a lane of their own runs it"]
            fn $client() {
                crate::clients::run(stringify!($client));
            })+
        }
    };
}

foreign! { confluent, aio, kafka_python, franz, segmentio, java, kcat }
