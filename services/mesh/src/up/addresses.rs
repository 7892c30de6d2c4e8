//! The addresses that a user can open, printed once everything is ready.

use super::{
    brokers::Backing,
    layout::{Layout, Protocol},
};
use crate::output;

/// A table of addresses, and a command to try first.
pub(super) fn describe(layout: &Layout, backing: &Backing) -> String {
    let mut table = output::Table::new(&[]);
    let gateways = layout.addresses("gateway", Protocol::Http);
    let gateway = gateways.first().map_or("", String::as_str);
    table.row(["shop", &format!("{gateway}/api/products"), "REST"]);
    table.row(["", &format!("{gateway}/docs"), "its documentation"]);
    for further in gateways.iter().skip(1) {
        table.row(["", further, "another replica"]);
    }
    for lens in layout.addresses("lens", Protocol::Http) {
        table.row(["lens", &format!("{lens}/lens/v1/flows"), "recent orders"]);
        table.row(["", &format!("{lens}/lens/v1/topology"), "who talks to whom"]);
        table.row([
            "",
            &format!("{lens}/api/traces?service=gateway"),
            "traces, as Jaeger serves them",
        ]);
        table.row([
            "",
            &format!("{lens}/prometheus/"),
            "metrics, rules and alerts, as Prometheus serves them",
        ]);
    }
    for (index, process) in layout.processes.iter().enumerate() {
        let first = if index == 0 { "operators" } else { "" };
        let admin = process.address(Protocol::Admin).unwrap_or_default();
        let paths = if index == 0 {
            " (/metrics /readyz /config /log-level /debug/pprof/profile)"
        } else {
            ""
        };
        table.row([first, &admin, &format!("{}{paths}", process.label())]);
    }
    let embedded = |is| if is { "embedded, in memory" } else { "yours" };
    table.row(["Kafka", &backing.kafka.brokers, embedded(backing.kafka.embedded)]);
    table.row(["NATS", &masked(&backing.nats), embedded(backing.nats == layout.nats_url())]);
    let order = r#"{"items":[{"sku":"teapot","quantity":1}],"payment_token":"tok_ok"}"#;
    format!(
        "\n{}\n\nTry:  curl -i {gateway}/api/orders -H 'content-type: application/json' \\\n        -d '{order}'\n",
        table.text()
    )
}

/// The URL without a user and password.
fn masked(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::running::Kafka;

    #[test]
    fn everything_is_there_and_nothing_secret() {
        let layout =
            Layout::new(registry::PORT_BASE, &BTreeMap::from([("gateway".into(), 2)]), false)
                .unwrap();
        let backing = Backing {
            kafka: Kafka { brokers: "127.0.0.1:4711".into(), embedded: true },
            log_id: None,
            nats: "nats://ada:lovelace@nats:4222".into(),
            postgres: None,
            clock: None,
            settings: Vec::new(),
        };
        let text = describe(&layout, &backing);
        for place in [
            "http://127.0.0.1:8080/docs",
            "http://127.0.0.1:8130",
            "http://127.0.0.1:8093",
            "127.0.0.1:4711",
            "nats://***@nats:4222",
        ] {
            assert!(text.contains(place), "{place} is missing in {text}");
        }
        assert!(!text.contains("lovelace"));
    }
}
