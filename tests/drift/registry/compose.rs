//! Lists in the files of Docker Compose.

use std::io;

use registry::{Service, Stage};

use super::{
    Files,
    edit::{between, lines},
    scripts::{has_ledger, in_mesh, names},
};

const COMPOSE: &str = "deploy/compose.yaml";

/// The settings that say where a service listens and whom it calls: `MESH_ORDERS__CATALOG`, with `separator` before the value.
pub(crate) fn addresses(services: &[Service], indent: &str, separator: &str) -> Vec<String> {
    let mut all = Vec::new();
    for service in services.iter().filter(|one| in_mesh(one)) {
        let prefix = format!("{indent}MESH_{}__", service.name.to_uppercase());
        let listens = service.ports.iter().find(|port| port.setting == "listen");
        all.extend(listens.map(|port| {
            format!("{prefix}LISTEN{separator}0.0.0.0:{}", container_port(port.protocol))
        }));
        all.extend(service.calls.iter().map(|called| {
            format!("{prefix}{}{separator}http://{called}:9090", called.to_uppercase())
        }));
    }
    all
}

/// Whether a line is one of [`addresses`].
pub(crate) fn is_address(line: &str) -> bool {
    let line = line.trim_start();
    let listens = line.contains("__LISTEN") && line.contains("0.0.0.0:");
    let calls = line.ends_with(":9090") && line.contains("http://");
    let other = line.starts_with("MESH_LENS__") || line.starts_with("MESH_ADMIN__");
    line.starts_with("MESH_") && (listens || calls) && !other
}

/// In a container, ports are the same everywhere.
pub(crate) fn container_port(protocol: registry::Protocol) -> u16 {
    match protocol {
        registry::Protocol::Http => 8080,
        registry::Protocol::Grpc => 9090,
        registry::Protocol::Admin => 8081,
    }
}

/// A line for each service with a database.
pub(crate) fn of_ledgers(services: &[Service], line: impl Fn(&str, &str) -> String) -> Vec<String> {
    let ledgers = services.iter().filter(|one| one.ledger);
    ledgers.map(|one| line(one.name, &one.name.to_uppercase())).collect()
}

/// A line for each service whose metrics lens reads.
pub(crate) fn scraped(services: &[Service], line: impl Fn(&str, &str) -> String) -> Vec<String> {
    let others = services.iter().filter(|one| in_mesh(one));
    others.map(|one| line(one.name, &one.name.to_uppercase())).collect()
}

/// Whether a line says where lens reads the metrics of another service.
pub(crate) fn is_target(line: &str) -> bool {
    line.trim_start().starts_with("MESH_LENS__SCRAPE__TARGETS__") && !line.contains("TARGETS__LENS")
}

pub(crate) fn write(files: &mut Files, services: &[Service]) -> io::Result<()> {
    files.edit(COMPOSE, |text| {
        let text = lines(text, is_address, &addresses(services, "  ", ": "));
        let url = |name: &str, upper: &str| {
            format!("  MESH_{upper}__DATABASE__URL: postgres://{name}:{name}@postgres:5432/{name}")
        };
        let is_url = |line: &str| line.contains("__DATABASE__URL: ");
        let text = lines(&text, is_url, &of_ledgers(services, url));
        let most = |_: &str, upper: &str| format!("  MESH_{upper}__DATABASE__MAX_CONNECTIONS: 4");
        let is_most = |line: &str| line.contains("__DATABASE__MAX_CONNECTIONS: ");
        let text = lines(&text, is_most, &of_ledgers(services, most));
        let target = |name: &str, upper: &str| {
            format!("      MESH_LENS__SCRAPE__TARGETS__{upper}: http://{name}:8081/metrics")
        };
        let text = lines(&text, is_target, &scraped(services, target));
        let text = between(&text, "", "for ledger in ", ";", &names(services, has_ledger, " "));
        services.iter().fold(text, with_block)
    })?;
    files.edit("deploy/compose.observability.yaml", |text| {
        let line = |one: &Service| format!("  {}: {{environment: *telemetry}}", one.name);
        let others = services.iter().filter(|one| one.stage != Stage::Edge);
        let is_line = |line: &str| line.ends_with(": {environment: *telemetry}");
        lines(text, is_line, &others.map(line).collect::<Vec<_>>())
    })?;
    files.edit("deploy/components/observability/prometheus/scrape/compose.yaml", |text| {
        let line = |one: &Service| {
            format!(
                "      - {{targets: [\"{0}:8081\"], labels: {{job: {0}, service: {0}}}}}",
                one.name
            )
        };
        let is_line = |line: &str| line.contains("service: ");
        lines(text, is_line, &services.iter().map(line).collect::<Vec<_>>())
    })
}

/// Adds a block for the service above that of lens, if there is none. From then on it may be changed by hand.
fn with_block(text: String, service: &Service) -> String {
    let name = service.name;
    if text.contains(&format!("\n    command: [{name}]\n")) {
        return text;
    }
    let mut needs: Vec<_> = service.calls.iter().map(|called| healthy(called)).collect();
    if service.live {
        needs.push(healthy("nats"));
    }
    let needs = match (service.ledger, service.uses_kafka(), needs.is_empty()) {
        (true, _, true) => "    depends_on: *with-ledger\n".to_owned(),
        (true, _, false) => format!("    depends_on:\n      <<: *with-ledger\n{}", needs.concat()),
        (false, true, _) => format!(
            "    depends_on:\n      topics: {{condition: service_completed_successfully}}\n{}{}",
            healthy("kafka"),
            needs.concat()
        ),
        (false, false, false) => format!("    depends_on:\n{}", needs.concat()),
        (false, false, true) => String::new(),
    };
    let block = format!(
        "  {name}:\n    <<: *service\n    command: [{name}]\n    environment: *settings\n{needs}\n"
    );
    text.replacen("  lens:\n    <<: *service\n", &format!("{block}  lens:\n    <<: *service\n"), 1)
}

fn healthy(name: &str) -> String {
    format!("      {name}: {{condition: service_healthy}}\n")
}
