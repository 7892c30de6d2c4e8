//! Lists in shell scripts, in the manifest of the workspace, and in what the checks of Kubernetes accept.

use std::{collections::BTreeSet, io};

use registry::{Service, Stage};

use super::{
    Files,
    edit::{between, lines},
};

/// The names of the services that a condition holds for, with `separator` between them.
pub(crate) fn names(services: &[Service], is: fn(&Service) -> bool, separator: &str) -> String {
    services.iter().filter(|one| is(one)).map(|one| one.name).collect::<Vec<_>>().join(separator)
}

pub(crate) fn any(_: &Service) -> bool {
    true
}

pub(crate) fn in_mesh(service: &Service) -> bool {
    service.stage != Stage::Telemetry
}

pub(crate) fn has_ledger(service: &Service) -> bool {
    service.ledger
}

pub(crate) fn consumes(service: &Service) -> bool {
    !service.consumes.is_empty()
}

pub(crate) fn write(files: &mut Files, services: &[Service]) -> io::Result<()> {
    files.edit("Cargo.toml", |text| {
        let is_service = |line: &str| {
            line.split_once(" = { path = \"services/")
                .is_some_and(|(name, _)| !NO_SERVICES.contains(&name))
        };
        let line = |one: &Service| format!("{0} = {{ path = \"services/{0}\" }}", one.name);
        lines(text, is_service, &services.iter().map(line).collect::<Vec<_>>())
    })?;
    files.edit("tests/real/parts.sh", |text| {
        let topics: BTreeSet<_> = services.iter().flat_map(|one| one.publishes).copied().collect();
        let topics = topics.into_iter().collect::<Vec<_>>().join(" ");
        let text = between(text, "\nTOPICS=", "\"", "\"", &topics);
        between(&text, "\nLEDGERS=", "\"", "\"", &names(services, has_ledger, " "))
    })?;
    files.edit("tests/bundle/stack.sh", |text| {
        between(text, "\nSERVICES=", "(", ")", &names(services, any, " "))
    })?;
    files.edit("tests/kubernetes/check.sh", |text| {
        between(text, "", "for service in ", ";", &names(services, any, " "))
    })?;
    files.edit("tests/kubernetes/pods.sh", |text| {
        let mut sorted: Vec<_> =
            services.iter().filter(|one| in_mesh(one)).map(|one| one.name).collect();
        sorted.sort_unstable();
        between(text, "\nwhole_trace()", "wanted=\"", "\"", &sorted.join(" "))
    })?;
    files.edit("tests/kubernetes/accepted.txt", |text| {
        let text = between(text, "\noperators ::", "(", ")", &names(services, consumes, "|"));
        between(&text, "\nlocal|policies ::", "(", ")", &names(services, in_mesh, "|"))
    })
}

/// Members of the workspace in `services/` that are not services.
const NO_SERVICES: [&str; 11] = [
    "chassis",
    "embedded-kafka",
    "embedded-limits",
    "embedded-nats",
    "event-log",
    "mesh",
    "profiler",
    "promql",
    "promrules",
    "registry",
    "timeseries",
];
