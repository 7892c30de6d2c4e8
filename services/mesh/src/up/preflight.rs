//! Reports mistakes in the configuration once, before anything starts; otherwise every child would report them again and again.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
};

use chassis::config::Sources;

use super::layout::Process;
use crate::service;

/// The mistakes in the configuration, and the services that each affects.
#[derive(Debug, Default)]
pub(super) struct Mistakes(BTreeMap<String, Vec<String>>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was started")?;
        for (mistake, processes) in &self.0 {
            write!(f, "\n{}: {mistake}", processes.join(", "))?;
        }
        Ok(())
    }
}

/// Loads every configuration as the child would.
pub(super) fn check<'a>(
    children: impl IntoIterator<Item = (&'a Process, &'a [(String, String)])>,
) -> anyhow::Result<Result<(), Mistakes>> {
    let mut all = Mistakes::default();
    for (process, environment) in children {
        let mut sources = Sources::of_process(Vec::new());
        sources.environment.extend(environment.iter().cloned());
        if let Err(mistakes) = (service::find(process.service)?.effective)(&sources) {
            all.0.entry(mistakes.to_string()).or_default().push(process.label());
        }
    }
    Ok(if all.0.is_empty() { Ok(()) } else { Err(all) })
}

/// The settings of a service that the user has set, in the file or the environment.
pub(super) fn chosen(service: &str) -> anyhow::Result<HashSet<String>> {
    // If there are mistakes, nothing starts anyway.
    let effective =
        (service::find(service)?.effective)(&Sources::of_process(Vec::new())).unwrap_or_default();
    let chosen = effective.into_iter().filter(|setting| setting.source != "default");
    Ok(chosen.map(|setting| setting.key).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::up::layout::Layout;

    #[test]
    fn a_mistake_in_the_settings_of_several_services_is_reported_once() {
        let layout = Layout::new(registry::PORT_BASE, &BTreeMap::new(), false).unwrap();
        let wrong = vec![("MESH_KAFKA__BROKER".to_owned(), "x".to_owned())];
        let children = layout.processes.iter().map(|process| (process, wrong.as_slice()));
        let text = check(children).unwrap().unwrap_err().to_string();
        assert!(text.starts_with("nothing was started\ngateway, catalog, "), "{text}");
        assert_eq!(text.matches("kafka.broker: no such setting").count(), 1, "{text}");
        assert!(
            check(layout.processes.iter().map(|process| (process, [].as_slice()))).unwrap().is_ok()
        );
    }
}
