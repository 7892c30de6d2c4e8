//! Events do not flow: from the outbox, through the broker, to the consumers.

use super::{Alert, LASTING, PAGE, SEEN, TICKET, counted};

/// The lag that is tolerated, in records: two seconds of 100 orders a second, each of which writes five records to
/// `orders.events`.
const LAG: u32 = 1000;
/// Longer than the slowest event may take without a fault of ours: a third party that never answers is given up after 3
/// attempts of 4 s and the pauses between.
const TOO_OLD_S: u32 = 30;
/// An order takes seconds, with the simulated waits of the warehouse and the carrier. This is longer than payments waits for
/// a third party that never answers, and longer than any part needs to start again.
const OPEN_S: u32 = 120;
/// The relay sends within milliseconds. This is longer than a broker needs to come back, with `RESTARTED` on top.
const UNSENT_S: u32 = 10;

pub(super) fn alerts() -> Vec<Alert> {
    [consumers(), delays(), letters(), unsendable()].concat()
}

fn consumers() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshFlowsStalled",
            severity: PAGE,
            // A flow takes seconds: as long as the warehouse and the carrier are simulated to take.
            hold: LASTING,
            keep: None,
            expr: "sum(rate(mesh_orders_placed_total[1m])) > 0\n\
                   unless sum(rate(mesh_flow_duration_seconds_count[1m])) > 0"
                .into(),
            summary: "Orders are placed, but none is completed or cancelled",
            description: "{{ $value | humanize }} orders a second are placed, but for minutes none was completed or cancelled. \
                          Customers wait for their orders.",
            dashboard: "mesh-flows",
        },
        Alert {
            name: "MeshOrderStuck",
            severity: PAGE,
            hold: LASTING,
            keep: None,
            expr: format!("max(mesh_orders_oldest_open_age_seconds) > {OPEN_S}"),
            summary: "An order is open for {{ $value | humanizeDuration }}",
            description: "The oldest order that is neither completed nor cancelled was placed {{ $value | humanizeDuration }} \
                          ago. Its customer waits, and others may wait, too.",
            dashboard: "mesh-flows",
        },
        Alert {
            name: "MeshConsumerStuck",
            severity: PAGE,
            hold: LASTING,
            keep: None,
            expr: "sum by (service, topic) (mesh_consumer_lag) > 0\n\
                   unless sum by (service, topic) (rate(mesh_events_total{outcome!=\"abandoned\"}[1m])) > 0"
                .into(),
            summary: "{{ $labels.service }} handles no events of {{ $labels.topic }}",
            description: "{{ $value | humanize }} records of {{ $labels.topic }} wait for {{ $labels.service }}, which has \
                          handled none for two minutes. The orders they belong to stand still.",
            dashboard: "mesh-events?var-topic={{ $labels.topic }}",
        },
    ]
}

fn delays() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshConsumerLagGrowing",
            severity: TICKET,
            hold: LASTING,
            keep: None,
            expr: format!(
                "sum by (service, topic) (mesh_consumer_lag) > {LAG}\n\
                 and sum by (service, topic) (deriv(mesh_consumer_lag[2m])) > 0"
            ),
            summary: "{{ $labels.service }} falls behind in {{ $labels.topic }}",
            description: "{{ $labels.service }} is {{ $value | humanize }} records of {{ $labels.topic }} behind, and more \
                          arrive than it handles. Its effects are more and more delayed.",
            dashboard: "mesh-events?var-topic={{ $labels.topic }}",
        },
        Alert {
            name: "MeshEventTooOld",
            severity: TICKET,
            hold: LASTING,
            keep: None,
            // The age must grow: while a backlog or a replay is worked off, old events are in flight too, each for a moment.
            expr: format!(
                "max by (service, topic) (mesh_consumer_oldest_age_seconds) > {TOO_OLD_S}\n\
                 and max by (service, topic) (deriv(mesh_consumer_oldest_age_seconds[1m])) > 0.5"
            ),
            summary: "{{ $labels.service }} has not finished an event of {{ $labels.topic }} for {{ $value | humanizeDuration }}",
            description: "The oldest event of {{ $labels.topic }} that {{ $labels.service }} received and has not finished is {{ \
                          $value | humanizeDuration }} old. At least one order is stuck.",
            dashboard: "mesh-events?var-topic={{ $labels.topic }}",
        },
    ]
}

fn letters() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshOutboxStuck",
            severity: PAGE,
            hold: LASTING,
            keep: None,
            expr: format!("max by (service) (mesh_outbox_oldest_age_seconds) > {UNSENT_S}"),
            summary: "{{ $labels.service }} cannot send its events",
            description: "The oldest event in the outbox of {{ $labels.service }} has waited for {{ $value | humanizeDuration \
                          }}. Nothing is lost, but other services do not learn what {{ $labels.service }} does.",
            dashboard: "mesh-events",
        },
        Alert {
            name: "MeshDeadLetters",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: counted("service, topic, reason", "mesh_dead_letters_total", "15m"),
            summary: "{{ $labels.service }} set events of {{ $labels.topic }} aside: {{ $labels.reason }}",
            description: "{{ $value | humanize }} events of {{ $labels.topic }} became dead letters of {{ $labels.service }} \
                          within 15 minutes: {{ $labels.reason }}. They wait in {{ $labels.topic }}.dlq until somebody \
                          replays or purges them; their orders may stand still.",
            dashboard: "mesh-events?var-topic={{ $labels.topic }}",
        },
        Alert {
            name: "MeshEventsLost",
            severity: PAGE,
            hold: SEEN,
            keep: None,
            expr: counted("service, topic", "mesh_consumer_gap_records_total", "15m"),
            summary: "{{ $labels.topic }} has lost records that {{ $labels.service }} had not read",
            description: "The broker dropped {{ $value | humanize }} records of {{ $labels.topic }} before \
                          {{ $labels.service }} fetched them. Orders may differ between services: audit them.",
            dashboard: "mesh-events?var-topic={{ $labels.topic }}",
        },
    ]
}

fn unsendable() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshDeadLettersLost",
            severity: PAGE,
            hold: SEEN,
            keep: None,
            expr: counted("service, topic", "mesh_dead_letters_lost_total", "15m"),
            summary: "Dead letters of {{ $labels.topic }} from {{ $labels.service }} are lost",
            description: "The broker finally refused {{ $value | humanize }} dead letters of {{ $labels.service }} within 15 \
                          minutes: these events of {{ $labels.topic }} were neither handled nor set aside. The log of {{ \
                          $labels.service }} has their positions; the events can be read there as long as the topic keeps them.",
            dashboard: "mesh-events?var-topic={{ $labels.topic }}",
        },
        Alert {
            name: "MeshChargesUnresolved",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: "max by (service) (mesh_payments_unresolved) > 0".into(),
            summary: "{{ $value | humanize }} charges are unresolved",
            description: "{{ $value | humanize }} cancelled orders may have been charged: in ten attempts of {{ $labels.service \
                          }}, about half an hour, the payment provider has not confirmed the refund. The attempts go on; an \
                          operator should ask the provider.",
            dashboard: "mesh-flows",
        },
        Alert {
            name: "MeshEventsUnsendable",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: "max by (service) (mesh_outbox_unsendable) > 0".into(),
            summary: "{{ $labels.service }} has events that it can never send",
            description: "{{ $value | humanize }} events in the outbox of {{ $labels.service }} were set aside, because no \
                          broker accepts them. Other events are sent; the orders of these may be stuck until an operator \
                          repairs, requeues or drops what `mesh outbox list {{ $labels.service }}` shows.",
            dashboard: "mesh-events",
        },
    ]
}
