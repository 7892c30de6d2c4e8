//! One colour for each service, the same in every panel: the palette of Okabe and Ito, which readers with any colour vision
//! can distinguish.
//! <https://jfly.uni-koeln.de/color/>

use registry::Stage;

/// The colours of the services that take part in an order, in the registry's order. A service without one is a failing test.
const COLOURS: [&str; 7] =
    ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"];
/// The colour of the telemetry backend: the grey that is left.
const GREY: &str = "#999999";

/// Each service and its colour.
pub(crate) fn services() -> impl Iterator<Item = (&'static str, &'static str)> {
    let colours = COLOURS.into_iter().map(Some).chain(std::iter::repeat(None));
    let mesh =
        registry::of_the_mesh().zip(colours).filter_map(|(name, colour)| Some((name, colour?)));
    let backends = registry::SERVICES.iter().filter(|one| one.stage == Stage::Telemetry);
    mesh.chain(backends.map(|one| (one.name, GREY)))
}

/// A pattern that matches series named after the service, alone or as one word of the legend: `orders`, `p99 orders`,
/// `payments.events → orders`; not the topic `orders.events`.
pub(crate) fn pattern(service: &str) -> String {
    format!(r"/^(p\d\d )?{service}(?![.\w])|→ {service}(?![.\w])/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rules;

    #[test]
    fn every_service_has_a_colour_of_its_own() {
        let names: Vec<_> = services().map(|(name, _)| name).collect();
        let colours: BTreeSet<_> = services().map(|(_, colour)| colour).collect();
        assert_eq!(names, rules::services());
        assert_eq!(colours.len(), names.len());
    }
}
