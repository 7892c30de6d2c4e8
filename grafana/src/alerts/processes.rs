//! A service is absent, or cannot work.

use super::{Alert, KEPT, LASTING, PAGE, RESTARTED, SEEN, TICKET, counted};

/// The share of a limit at which there is still time to act.
const NEARLY: f64 = 0.8;

/// The share of its memory limit at which the next allocation may kill a process.
const NEARLY_KILLED: f64 = 0.9;
/// Longer than a short peak of memory lasts: a burst, a profile.
const STAYING: &str = "2m";

/// The free bytes of a disk at which there is still time to act: eight times the longest write-ahead log that a service
/// allows itself.
const LITTLE_ROOM: u64 = 64 << 20;
/// In bytes. A write-ahead log is cut at 8 MiB; one that is much longer is held open by a reader that does not end.
const LONG_LOG: u64 = 64 << 20;

pub(super) fn alerts() -> Vec<Alert> {
    [presence(), needs(), connections(), saturation(), disks()].concat()
}

/// The services whose absence no customer feels: a backend of ours that only watches.
const WATCHING: &str = "lens";

/// The share of the last minute in which a service was away, at once or in pieces, if it is more than half and Prometheus ran
/// before that minute: at a start all processes come up together.
fn away(services: &str) -> String {
    format!(
        "1 - avg_over_time(service:up:max{{{services}}}[1m]) > 0.5\nand service:up:max offset 1m"
    )
}

fn absent(severity: &'static str, expr: String) -> Alert {
    Alert {
        name: "MeshServiceAbsent",
        severity,
        hold: SEEN,
        keep: None,
        expr,
        summary: "{{ $labels.service }} is absent",
        description: "No process of {{ $labels.service }} answered Prometheus for {{ $value | humanizePercentage }} of the last \
                      minute: it does not run, crashes at once, or cannot be reached.",
        dashboard: "mesh-service?var-service={{ $labels.service }}",
    }
}

fn restarting(severity: &'static str, window: &str, times: u32) -> Alert {
    Alert {
        name: "MeshServiceRestarting",
        severity,
        hold: SEEN,
        keep: KEPT,
        expr: format!(
            "label_replace(\n  changes(process_start_time_seconds{{service!=\"\"}}[{window}]) >= {times},\n  \
             \"window\", \"{window}\", \"\", \"\"\n)"
        ),
        summary: "{{ $labels.service }} starts again and again",
        description: "{{ $labels.instance }} of {{ $labels.service }} restarted {{ $value }} times within {{ $labels.window }}. \
                      A release restarts it once.",
        dashboard: "mesh-service?var-service={{ $labels.service }}",
    }
}

fn presence() -> Vec<Alert> {
    vec![
        absent(PAGE, away(&format!("service!=\"{WATCHING}\""))),
        absent(TICKET, away(&format!("service=\"{WATCHING}\""))),
        // A crash loop: three starts in two minutes are neither a release nor an accident.
        restarting(PAGE, "2m", 3),
        restarting(TICKET, "10m", 2),
        Alert {
            name: "MeshPanics",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: counted("service", "mesh_panics_total", "15m"),
            summary: "{{ $labels.service }} panicked",
            description: "{{ $labels.service }} caught {{ $value | humanize }} panics within 15 minutes. Each is a bug: a \
                          request was answered with an error, or an event was retried.",
            dashboard: "mesh-service?var-service={{ $labels.service }}",
        },
    ]
}

fn needs() -> Vec<Alert> {
    vec![Alert {
        name: "MeshDegraded",
        severity: TICKET,
        hold: RESTARTED,
        keep: None,
        expr: "max by (service, condition) (mesh_degraded) == 1".into(),
        summary: "{{ $labels.service }} is degraded: {{ $labels.condition }}",
        description: "{{ $labels.service }} reports that {{ $labels.condition }} does not work. Its /readyz and `mesh status` \
                      say why; work that needs it waits or is refused.",
        dashboard: "mesh-service?var-service={{ $labels.service }}",
    }]
}

fn connections() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshDatabaseDown",
            severity: TICKET,
            hold: RESTARTED,
            keep: None,
            expr: "min by (service) (mesh_database_up) == 0".into(),
            summary: "{{ $labels.service }} cannot reach its database",
            description: "The database of {{ $labels.service }} does not answer. The service refuses calls; its events wait and \
                          are not lost.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshKafkaDisconnected",
            severity: TICKET,
            hold: RESTARTED,
            keep: None,
            expr: "min by (service) (mesh_kafka_connected) == 0".into(),
            summary: "{{ $labels.service }} has no connection to Kafka",
            description: "No broker answers {{ $labels.service }}. It receives no events, and its own events wait in the outbox: \
                          orders are accepted, but do not proceed.",
            dashboard: "mesh-events",
        },
        Alert {
            name: "MeshNatsDisconnected",
            severity: TICKET,
            hold: RESTARTED,
            keep: None,
            expr: "min by (service) (mesh_nats_connected) == 0".into(),
            summary: "{{ $labels.service }} has no connection to NATS",
            description: "{{ $labels.service }} cannot send or receive live messages: the pages of customers are not updated. \
                          Orders are not affected.",
            dashboard: "mesh-events",
        },
        Alert {
            name: "MeshBreakerOpen",
            severity: TICKET,
            hold: SEEN,
            keep: KEPT,
            expr: "max by (service, destination) (mesh_breaker_state) > 0".into(),
            summary: "{{ $labels.service }} has stopped calling {{ $labels.destination }}, which fails",
            description: "Most calls from {{ $labels.service }} to {{ $labels.destination }} failed, and the circuit breaker is \
                          open. One call every few seconds probes the destination; orders that need it wait.",
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
            keep: None,
            expr: format!("rate(tokio_busy_seconds_total[1m]) / tokio_workers > {NEARLY}"),
            summary: "{{ $labels.service }} is {{ $value | humanizePercentage }} busy",
            description: "The event loop of {{ $labels.instance }} of {{ $labels.service }} is busy {{ $value | \
                          humanizePercentage }} of the time: all its tasks wait for each other.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshFilesNearLimit",
            severity: TICKET,
            hold: LASTING,
            keep: None,
            expr: format!("process_open_fds{{service!=\"\"}} / process_max_fds > {NEARLY}"),
            summary: "{{ $labels.service }} uses {{ $value | humanizePercentage }} of its file descriptors",
            description: "{{ $labels.instance }} of {{ $labels.service }} has {{ $value | humanizePercentage }} of the allowed \
                          files and connections open. At the limit it can neither accept nor open any.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshMemoryNearLimit",
            severity: TICKET,
            hold: STAYING,
            keep: None,
            expr: format!("mesh_memory_used_bytes / mesh_memory_limit_bytes > {NEARLY_KILLED}"),
            summary: "{{ $labels.service }} uses {{ $value | humanizePercentage }} of its memory limit",
            description: "{{ $labels.instance }} of {{ $labels.service }} uses {{ $value | humanizePercentage }} of the memory \
                          limit of its container. At the limit the kernel kills it; the next process finishes its work.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
    ]
}

fn disks() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshDiskNearlyFull",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: format!("min by (service) (mesh_database_disk_free_bytes) < {LITTLE_ROOM}"),
            summary: "The disk of {{ $labels.service }} is nearly full",
            description: "{{ $value | humanize1024 }}B are left on the disk with the database of {{ $labels.service }}. When the \
                          disk is full, the service accepts no requests and no events, and is not ready.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
        Alert {
            name: "MeshDatabaseLogLong",
            severity: TICKET,
            hold: LASTING,
            keep: None,
            expr: format!(
                "max by (service) (mesh_database_file_bytes{{file=\"log\"}}) > {LONG_LOG}"
            ),
            summary: "The write-ahead log of {{ $labels.service }} cannot be truncated",
            description: "The write-ahead log of the database of {{ $labels.service }} has {{ $value | humanize1024 }}B: another \
                          process keeps a read transaction open, so that the log cannot be truncated. It grows until the disk is \
                          full.",
            dashboard: "mesh-runtime?var-service={{ $labels.service }}",
        },
    ]
}
