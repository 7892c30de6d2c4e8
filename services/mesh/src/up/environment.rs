//! A child's environment variables: addresses and settings, which override its file and defaults.

use std::collections::HashSet;

use super::{
    brokers::Backing,
    folder::{REPLAY, TELEMETRY},
    layout::{Layout, Process, Protocol},
};
use crate::running::FOLDER;

/// The variables of one process; `chosen` are the settings that the user has set.
pub(super) fn of(
    process: &Process,
    layout: &Layout,
    backing: &Backing,
    chosen: &HashSet<String>,
) -> Vec<(String, String)> {
    let mut all = vec![
        (ALLOCATOR.0.into(), ALLOCATOR.1.into()),
        // The supervisor parses the log, so the file cannot change its format.
        ("MESH_LOG__FORMAT".into(), "json".into()),
        ("MESH_KAFKA__BROKERS".into(), backing.kafka.brokers.clone()),
        (
            "MESH_KAFKA__PROFILE".into(),
            if backing.kafka.embedded { "embedded" } else { "real" }.into(),
        ),
        ("MESH_NATS__URL".into(), backing.nats.clone()),
    ];
    all.extend(backing.log_id.clone().map(|id| ("MESH_KAFKA__LOG_ID".into(), id)));
    let mut own = |key: &str, value| all.push((variable(process.service, key), value));
    for listener in &process.listeners {
        own(listener.setting, format!("127.0.0.1:{}", listener.port));
    }
    for callee in process.calls {
        own(callee, layout.addresses(callee, Protocol::Grpc).join(","));
    }
    if let (true, Some(template)) = (process.ledger, &backing.postgres) {
        own("database.url", template.replace(SERVICE, process.service));
    }
    for (key, value) in wishes(process, layout, backing.clock.as_deref()) {
        if !chosen.contains(&key) {
            own(&key, value);
        }
    }
    all.extend(backing.settings.iter().map(|(key, value)| (setting(key), value.clone())));
    all
}

/// glibc raises the size from which it gives memory back, and that of blocks it maps by themselves, after each large block that is
/// freed: a process with one Kafka response of a megabyte behind it then keeps megabytes. Fixing one of them fixes both.
const ALLOCATOR: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=131072");

/// The placeholder for the service's name in the address of its database.
pub(super) const SERVICE: &str = "{service}";

/// Further addresses, unless the user has set them. Of a replay, the clock of lens stands; it gets no spans and no metrics of the
/// two processes that show the run.
fn wishes(process: &Process, layout: &Layout, clock: Option<&str>) -> Vec<(String, String)> {
    let lens = |protocol| layout.addresses("lens", protocol).into_iter().next();
    let telemetry = match clock {
        Some(_) => Some(("telemetry.disabled".to_owned(), "true".to_owned())),
        None => lens(Protocol::Grpc).map(|url| (COLLECTOR.to_owned(), url)),
    };
    let mut all: Vec<_> = telemetry.into_iter().collect();
    match process.service {
        "gateway" => all.extend(lens(Protocol::Http).into_iter().flat_map(|url| {
            [
                ("trace_url".into(), format!("{url}/api/traces/{{trace_id}}")),
                ("front_door.lens".into(), url),
            ]
        })),
        // Each replica has its own simulated payment provider; a replica that is killed takes its provider along.
        "payments" => {
            all.extend(process.address(Protocol::Http).map(|url| ("provider".into(), url)))
        }
        "lens" => {
            let kept = if clock.is_some() { REPLAY } else { TELEMETRY };
            all.push(("keep.folder".into(), format!("{FOLDER}/{kept}")));
            all.extend(clock.map(|clock| ("clock".to_owned(), clock.to_owned())));
            // A recorded run has no services, and no events.
            all.push(("operate.enabled".into(), clock.is_none().to_string()));
            let targets = if clock.is_some() { &[][..] } else { &layout.processes };
            all.extend(targets.iter().filter_map(|one| {
                let target = format!("scrape.targets.{}", one.label().replace('.', "_"));
                Some((target, format!("{}/metrics", one.address(Protocol::Admin)?)))
            }));
            let front_door = layout.addresses("gateway", Protocol::Http).into_iter().next();
            all.extend(
                front_door.map(|url| ("rules.external_url".into(), format!("{url}/prometheus/"))),
            );
        }
        _ => {}
    }
    all
}

/// The setting with the address that traces and logs go to.
const COLLECTOR: &str = "telemetry.endpoint";

/// The environment variable for a setting such as `orders.database.url`.
fn setting(key: &str) -> String {
    format!("MESH_{}", key.to_uppercase().replace('.', "__"))
}

fn variable(service: &str, key: &str) -> String {
    setting(&format!("{service}.{key}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chassis::config::Sources;

    use super::*;
    use crate::{running::Kafka, service};

    fn backing() -> Backing {
        Backing {
            kafka: Kafka { brokers: "127.0.0.1:1".into(), embedded: true },
            log_id: Some("log".into()),
            nats: "nats://127.0.0.1:8122".into(),
            postgres: None,
            clock: None,
            settings: vec![("shipping.dispatch_after".into(), "0s".into())],
        }
    }

    fn variables(service: &str, layout: &Layout, backing: &Backing) -> BTreeMap<String, String> {
        let process = layout.processes.iter().find(|process| process.service == service).unwrap();
        of(process, layout, backing, &HashSet::new()).into_iter().collect()
    }

    #[test]
    fn a_child_gets_the_addresses_of_everything_that_it_uses() {
        let replicas = BTreeMap::from([("inventory".to_owned(), 2)]);
        let layout = Layout::new(9000, &replicas, true).unwrap();
        let url = "postgres://{service}:{service}@db/{service}";
        let orders =
            variables("orders", &layout, &Backing { postgres: Some(url.into()), ..backing() });
        let value = |name: &str| orders.get(name).map_or("", String::as_str);
        assert_eq!(value("MESH_ORDERS__LISTEN"), "127.0.0.1:9023");
        assert_eq!(value("MESH_ORDERS__ADMIN__LISTEN"), "127.0.0.1:9013");
        assert_eq!(value("MESH_ORDERS__INVENTORY"), "http://127.0.0.1:9022,http://127.0.0.1:9072");
        assert_eq!(value("MESH_ORDERS__DATABASE__URL"), "postgres://orders:orders@db/orders");
        assert_eq!(
            (value("MESH_KAFKA__PROFILE"), value("MESH_KAFKA__LOG_ID")),
            ("embedded", "log")
        );
        assert_eq!(value("MESH_ORDERS__TELEMETRY__ENDPOINT"), "http://127.0.0.1:9027");
        assert_eq!(value("MESH_SHIPPING__DISPATCH_AFTER"), "0s");
        let lens = variables("lens", &layout, &backing());
        assert_eq!(
            lens["MESH_LENS__SCRAPE__TARGETS__INVENTORY_2"],
            "http://127.0.0.1:9062/metrics"
        );
        assert_eq!(lens["MESH_LENS__RULES__EXTERNAL_URL"], "http://127.0.0.1:9000/prometheus/");
    }

    /// A replay sends nothing to its lens, whose clock stands, and lens scrapes nothing.
    #[test]
    fn the_lens_of_a_replay_gets_only_the_run() {
        let layout = Layout::new(9000, &BTreeMap::new(), false).unwrap();
        let replay = Backing { clock: Some("2026-01-02T03:04:05Z".into()), ..backing() };
        for service in ["lens", "gateway"] {
            let all = variables(service, &layout, &replay);
            let prefix = format!("MESH_{}__", service.to_uppercase());
            assert_eq!(all[&format!("{prefix}TELEMETRY__DISABLED")], "true");
            assert!(!all.contains_key(&format!("{prefix}TELEMETRY__ENDPOINT")));
        }
        let lens = variables("lens", &layout, &replay);
        assert_eq!(lens["MESH_LENS__CLOCK"], "2026-01-02T03:04:05Z");
        assert_eq!(lens["MESH_LENS__KEEP__FOLDER"], ".mesh/replay");
        assert!(!lens.keys().any(|name| name.contains("TARGETS")), "{lens:?}");
        assert_eq!(lens["MESH_LENS__OPERATE__ENABLED"], "false");
        let lens = variables("lens", &layout, &backing());
        assert_eq!(lens["MESH_LENS__KEEP__FOLDER"], ".mesh/lens");
        assert_eq!(lens["MESH_LENS__OPERATE__ENABLED"], "true");
        assert!(!lens.contains_key("MESH_LENS__CLOCK"));
    }

    #[test]
    fn what_the_user_has_decided_stays() {
        let layout = Layout::new(registry::PORT_BASE, &BTreeMap::new(), false).unwrap();
        let payments =
            layout.processes.iter().find(|process| process.service == "payments").unwrap();
        let provider = |chosen: &HashSet<String>| {
            let variables = of(payments, &layout, &backing(), chosen);
            variables
                .into_iter()
                .find(|(name, _)| name == "MESH_PAYMENTS__PROVIDER")
                .map(|(_, value)| value)
        };
        assert_eq!(provider(&HashSet::new()), Some("http://127.0.0.1:8114".into()));
        assert_eq!(provider(&HashSet::from(["provider".into()])), None);
    }

    /// Where containers start the services, the manifests have to say it.
    #[test]
    fn the_allocator_is_set_in_the_same_way_everywhere() {
        let (name, value) = ALLOCATOR;
        let layout = Layout::new(registry::PORT_BASE, &BTreeMap::new(), false).unwrap();
        for entry in service::ALL {
            let environment = variables(entry.name, &layout, &backing());
            let given = environment.get(name).map(String::as_str);
            assert_eq!(given, Some(value), "{}", entry.name);
        }
        let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");
        for (file, line) in [
            ("compose.yaml", format!("\n  {name}: {value}\n")),
            ("base/patches/settings.env", format!("\n{name}={value}\n")),
        ] {
            let text = std::fs::read_to_string(format!("{deploy}/{file}")).unwrap();
            assert!(text.contains(&line), "{file} has no {line:?}");
        }
    }

    /// Every variable is a setting that the service has: an unknown one would keep it from starting.
    #[test]
    fn every_service_accepts_its_compose_environment() {
        let layout = Layout::new(registry::PORT_BASE, &BTreeMap::new(), false).unwrap();
        assert_eq!(layout.processes.len(), service::ALL.len());
        for entry in service::ALL {
            let environment = variables(entry.name, &layout, &backing()).into_iter().collect();
            let sources = Sources { environment, ..Sources::default() };
            let effective = (entry.effective)(&sources)
                .unwrap_or_else(|mistakes| panic!("{}: {mistakes}", entry.name));
            // A setting named like a service is that service's address, and so must be set here.
            for setting in effective.iter().filter(|setting| service::find(&setting.key).is_ok()) {
                assert_ne!(setting.source, "default", "{}: {}", entry.name, setting.key);
            }
        }
    }

    /// `mesh <service>`, started by hand, finds the other services where `mesh up` runs them.
    #[test]
    fn the_defaults_are_the_same_places() {
        let layout = Layout::new(registry::PORT_BASE, &BTreeMap::new(), false).unwrap();
        for entry in service::ALL {
            let process =
                layout.processes.iter().find(|process| process.service == entry.name).unwrap();
            let effective = (entry.effective)(&Sources::default()).unwrap();
            let default = |key: &str| {
                effective
                    .iter()
                    .find(|setting| setting.key == key)
                    .and_then(|s| s.value.as_str().map(str::to_owned))
            };
            for listener in
                process.listeners.iter().filter(|listener| listener.protocol != Protocol::Admin)
            {
                let place = format!("127.0.0.1:{}", listener.port);
                assert_eq!(
                    default(listener.setting),
                    Some(place),
                    "{} {}",
                    entry.name,
                    listener.setting
                );
            }
            for callee in process.calls {
                assert_eq!(
                    default(callee),
                    Some(layout.addresses(callee, Protocol::Grpc).join(",")),
                    "{} {callee}",
                    entry.name
                );
            }
        }
    }
}
