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
        what_is_produced_is_consumed_in_order_with_all_that_it_carries,
        a_waiting_consumer_is_woken_by_the_record,
        compressed_records_arrive,
        a_batch_larger_than_what_is_fetched_at_once_arrives,
        a_record_that_is_too_large_is_refused,
        a_topic_nobody_made_is_refused,
        a_topic_is_made_once,
        what_is_there_is_told,
        a_time_is_found,
    }
    offsets {
        what_was_committed_is_known_to_the_next_member,
        a_group_goes_on_where_it_was,
        where_nothing_is_a_consumer_begins_anew,
        a_stranger_cannot_commit_for_a_group,
        a_group_without_members_can_be_deleted,
    }
    groups {
        members_share_and_take_over_with_range,
        members_share_and_take_over_cooperatively,
        the_partitions_of_a_dead_member_move,
        a_member_of_the_past_is_unknown,
        groups_are_listed_with_their_members,
    }
    producers {
        an_idempotent_producer_sends_everything_once,
        a_batch_that_is_sent_again_is_stored_once,
        a_gap_and_an_old_epoch_are_refused,
        what_is_damaged_is_refused,
        who_wants_no_answer_gets_none,
    }
    administration {
        a_topic_that_is_only_checked_is_not_made,
        a_topic_grows_and_goes,
        deleted_records_are_gone_and_the_others_stay,
        a_group_that_never_had_a_member_is_listed_and_described,
        a_record_of_megabytes_is_refused_and_many_small_ones_in_one_request_are_not,
    }
    strangers {
        a_version_of_the_future_is_told_what_is_known,
        requests_are_answered_in_order,
    }
}

#[test]
fn noise_ends_its_own_connection_and_no_other() {
    strangers::noise_ends_its_own_connection_and_no_other(&broker::Broker::embedded());
}

#[test]
fn a_wish_for_more_than_there_is_ends_the_connection() {
    strangers::a_wish_for_more_than_there_is_ends_the_connection(&broker::Broker::embedded());
}

#[test]
fn damaged_requests_end_their_own_connections_and_no_other() {
    if !harness::is_alone("damaged_requests_end_their_own_connections_and_no_other") {
        return;
    }
    strangers::damaged_requests_end_their_own_connections_and_no_other(broker::Broker::embedded());
}

#[test]
fn half_frames_and_readers_that_do_not_read_cost_a_bounded_sum() {
    // The test measures the process: clients of other tests would be measured, too.
    if !harness::is_alone("half_frames_and_readers_that_do_not_read_cost_a_bounded_sum") {
        return;
    }
    memory::half_frames_and_readers_that_do_not_read_cost_a_bounded_sum(&broker::Broker::embedded());
}

#[test]
fn a_connection_more_than_there_may_be_takes_the_place_of_the_most_silent() {
    memory::a_connection_more_than_there_may_be_takes_the_place_of_the_most_silent(
        &broker::Broker::embedded(),
    );
}

#[test]
fn a_transaction_is_refused_for_good_and_at_once() {
    administration::a_transaction_is_refused_for_good_and_at_once(&broker::Broker::embedded());
}

#[test]
fn a_group_of_the_new_protocol_is_refused_for_good_and_at_once() {
    let broker = broker::Broker::embedded();
    administration::a_group_of_the_new_protocol_is_refused_for_good_and_at_once(&broker);
}

#[test]
fn a_group_that_looked_once_expires_and_holds_up_nobody() {
    administration::a_group_that_looked_once_expires_and_holds_up_nobody();
}

#[test]
fn a_broker_that_is_full_says_for_whom_it_waits() {
    administration::a_broker_that_is_full_says_for_whom_it_waits();
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
