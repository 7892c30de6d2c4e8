//! Parts of the telemetry may be missing: spans and log lines, scrapes, rules, the backends that keep them.

use super::{Alert, LASTING, NONE, PAGE, RESTARTED, SEEN, TICKET, counted, counted_from_nothing};

/// Parts whose absence leaves a hole in the telemetry. Without Prometheus there are no alerts, and without Alertmanager no
/// notifications: Grafana shows `MeshAlertsUndelivered`.
const PARTS: [&str; 3] = ["otel-collector", "jaeger", "loki"];
/// The share of its queue at which a collector is about to refuse data.
const FULL: f64 = 0.8;

pub(super) fn alerts() -> Vec<Alert> {
    [signals(), collector(), watching(), alerting()].concat()
}

/// The same query for spans and for log records; the label `signal` distinguishes them.
fn both(question: impl Fn(&str) -> String) -> String {
    let one = |(word, signal): (&str, &str)| {
        format!("label_replace(\n  {},\n  \"signal\", \"{signal}\", \"\", \"\"\n)", question(word))
    };
    [("spans", "spans"), ("log_records", "log records")].map(one).join("\nor ")
}

fn signals() -> Vec<Alert> {
    vec![Alert {
        name: "MeshTelemetryLost",
        severity: TICKET,
        hold: SEEN,
        keep: None,
        expr: both(|word| {
            counted("service", &format!("mesh_{word}_total{{state=\"dropped\"}}"), "5m")
        }),
        summary: "{{ $labels.service }} loses {{ $labels.signal }}",
        description: "{{ $labels.service }} dropped {{ $value | humanize }} {{ $labels.signal }} within 5 minutes: the Collector \
                      is unavailable or too slow. The mesh works as before, but telemetry is incomplete.",
        dashboard: "mesh-telemetry",
    }]
}

fn collector() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshCollectorRefusing",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: both(|word| {
                counted_from_nothing("job", &format!("otelcol_receiver_refused_{word}_total"), "5m")
            }),
            summary: "{{ $labels.job }} refuses {{ $labels.signal }}",
            description: "{{ $labels.job }} refused {{ $value | humanize }} {{ $labels.signal }} within 5 minutes, because it \
                          has no memory left. The services drop what is refused.",
            dashboard: "mesh-telemetry",
        },
        Alert {
            name: "MeshCollectorLosing",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: both(|word| {
                let failed = counted_from_nothing(
                    "job, exporter",
                    &format!("otelcol_exporter_send_failed_{word}_total"),
                    "5m",
                );
                let refused = counted_from_nothing(
                    "job, exporter",
                    &format!("otelcol_exporter_enqueue_failed_{word}_total"),
                    "5m",
                );
                format!("({failed}\n  or {refused})")
            }),
            summary: "{{ $labels.job }} loses {{ $labels.signal }} for {{ $labels.exporter }}",
            description: "{{ $labels.job }} gave up {{ $value | humanize }} {{ $labels.signal }} within 5 minutes that \
                          {{ $labels.exporter }} did not take.",
            dashboard: "mesh-telemetry",
        },
        Alert {
            name: "MeshCollectorQueueFull",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: format!("otelcol_exporter_queue_size / otelcol_exporter_queue_capacity > {FULL}"),
            summary: "The queue of {{ $labels.job }} for {{ $labels.exporter }} is {{ $value | humanizePercentage }} full",
            description: "{{ $labels.exporter }} accepts less than {{ $labels.job }} receives: its queue is {{ $value | \
                          humanizePercentage }} full. When it is full, further data is lost.",
            dashboard: "mesh-telemetry",
        },
    ]
}

fn watching() -> Vec<Alert> {
    let absent = |part: &str| {
        format!(
            "label_replace(absent(up{{job=\"{part}\"}} == 1), \"part\", \"{part}\", \"\", \"\")"
        )
    };
    vec![
        Alert {
            name: "MeshPartAbsent",
            severity: TICKET,
            hold: RESTARTED,
            keep: None,
            // Where no Prometheus scrapes itself, as in `mesh up`, lens evaluates the rules, and there are no parts.
            expr: format!(
                "({})\nand on () up{{job=\"prometheus\"}}",
                PARTS.map(absent).join("\nor ")
            ),
            summary: "{{ $labels.part }} is absent",
            description: "{{ $labels.part }} did not answer Prometheus for half a minute. Orders are not affected, but the data \
                          that it stores or forwards is missing.",
            dashboard: "mesh-telemetry",
        },
        Alert {
            name: "MeshScrapeFailing",
            severity: TICKET,
            hold: RESTARTED,
            keep: None,
            expr: "up == 0".into(),
            summary: "{{ $labels.job }} cannot be scraped at {{ $labels.instance }}",
            description: "Prometheus got no metrics from {{ $labels.instance }} of {{ $labels.job }} for half a minute. It \
                          is down, or it cannot be reached.",
            dashboard: "mesh-telemetry",
        },
    ]
}

fn alerting() -> Vec<Alert> {
    vec![
        Alert {
            name: "MeshRulesFailing",
            severity: TICKET,
            hold: SEEN,
            keep: None,
            expr: [
                "prometheus_rule_evaluation_failures_total",
                "mesh_lens_rule_evaluation_failures_total",
            ]
            .map(|counter| counted("job, rule_group", counter, "5m"))
            .join("\nor "),
            summary: "{{ $labels.job }} cannot evaluate its rules",
            description: "{{ $value | humanize }} evaluations of {{ $labels.rule_group }} by {{ $labels.job }} failed within 5 \
                          minutes: alerts and recorded series of it may be missing.",
            dashboard: "mesh-telemetry",
        },
        Alert {
            name: "MeshAlertsUndelivered",
            severity: PAGE,
            hold: LASTING,
            keep: None,
            expr: counted("alertmanager", "prometheus_notifications_errors_total", "1m"),
            summary: "Alertmanager does not take alerts",
            description: "{{ $value | humanize }} alerts could not be handed to {{ $labels.alertmanager }} within a minute: \
                          they reach no receiver.",
            dashboard: "mesh-telemetry",
        },
        Alert {
            name: "Watchdog",
            severity: NONE,
            hold: "0s",
            keep: None,
            expr: "vector(1)".into(),
            summary: "Alerts arrive",
            description: "This alert always fires ({{ $value }}) and takes the same way as all alerts. Send it to a service that \
                          reports its absence, which means that Prometheus, Alertmanager or the network between them is down.",
            dashboard: "mesh-telemetry",
        },
    ]
}
