//! A service is not there, or cannot work.

use super::{Alert, LASTING, PAGE, RESTARTED, SEEN, TICKET, counted};
use crate::rules::SERVICES;

/// The share of a limit at which there is still time.
const NEARLY: f64 = 0.8;

pub(super) fn alerts() -> Vec<Alert> {
    [presence(), needs(), saturation()].concat()
}

/// Each by its name: what is not there has no series to find it by.
fn absent() -> String {
    let one = |service: &&str| {
        format!(
            "label_replace(absent(up{{service=\"{service}\"}} == 1), \"service\", \"{service}\", \"\", \"\")"
        )
    };
    SERVICES.iter().map(one).collect::<Vec<_>>().join("\nor ")
}

fn presence() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshServiceAbsent",
            severity: PAGE,
            hold: RESTARTED,
            expr: absent(),
            summary: "{{ $labels.service }} is not there",
            description: "No process of {{ $labels.service }} answered Prometheus for half a minute: none runs, or none can \
                          be reached.",
            dashboard: "mesh-service?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshServiceRestarting",
            severity: TICKET,
            hold: SEEN,
            expr: "changes(process_start_time_seconds{service!=\"\"}[10m]) >= 2".into(),
            summary: "{{ $labels.service }} starts again and again",
            description: "{{ $labels.instance }} of {{ $labels.service }} began anew {{ $value }} times within 10 minutes. \
                          A release begins it once.",
            dashboard: "mesh-service?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshPanics",
            severity: TICKET,
            hold: SEEN,
            expr: counted("service", "mesh_panics_total", "15m"),
            summary: "{{ $labels.service }} panicked",
            description: "{{ $labels.service }} caught {{ $value | humanize }} panics within 15 minutes. Each is a mistake in \
                          its code: a request was answered with an error, or an event tried again.",
            dashboard: "mesh-service?var-service={{ $labels.service }}",
        },
    ]
}

fn needs() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshDatabaseDown",
            severity: PAGE,
            hold: SEEN,
            expr: "min by (service) (mesh_database_up) == 0".into(),
            summary: "{{ $labels.service }} cannot reach its database",
            description: "The database of {{ $labels.service }} does not answer. It refuses calls; its events wait and are \
                          not lost.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshKafkaDisconnected",
            severity: PAGE,
            hold: RESTARTED,
            expr: "min by (service) (mesh_kafka_connected) == 0".into(),
            summary: "{{ $labels.service }} has no connection to Kafka",
            description: "No broker answers {{ $labels.service }}. It takes no events, and its own wait in the outbox: orders \
                          are accepted and stand still.",
            dashboard: "mesh-events",
        },
        Alert {
            name: "MeshNatsDisconnected",
            severity: TICKET,
            hold: RESTARTED,
            expr: "min by (service) (mesh_nats_connected) == 0".into(),
            summary: "{{ $labels.service }} has no connection to NATS",
            description: "{{ $labels.service }} cannot send or receive live messages: what customers watch stands still. \
                          Orders go on.",
            dashboard: "mesh-events",
        },
        Alert {
            name: "MeshBreakerOpen",
            severity: PAGE,
            hold: SEEN,
            expr: "max by (service, destination) (mesh_breaker_state) > 0".into(),
            summary: "{{ $labels.service }} leaves {{ $labels.destination }} alone: it fails",
            description: "Most calls from {{ $labels.service }} to {{ $labels.destination }} failed. Now none is made but one \
                          every few seconds, which probes; the orders that need them wait.",
            dashboard: "mesh-service?var-service={{ $labels.service }}",
        },
    ]
}

fn saturation() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshEventLoopBusy",
            severity: TICKET,
            hold: LASTING,
            expr: format!("rate(tokio_busy_seconds[1m]) / tokio_workers > {NEARLY}"),
            summary: "{{ $labels.service }} is {{ $value | humanizePercentage }} busy",
            description: "The event loop of {{ $labels.instance }} of {{ $labels.service }} is busy \
                          {{ $value | humanizePercentage }} of the time: everything in it waits for everything else.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshFilesNearLimit",
            severity: TICKET,
            hold: LASTING,
            expr: format!("process_open_fds{{service!=\"\"}} / process_max_fds > {NEARLY}"),
            summary: "{{ $labels.service }} has {{ $value | humanizePercentage }} of the files open that it may",
            description: "{{ $labels.instance }} of {{ $labels.service }} has {{ $value | humanizePercentage }} of the files \
                          and connections open that it may. At the limit it can neither take nor make any.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
    ]
}
