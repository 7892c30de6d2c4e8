//! One colour for each service, the same in every panel: the palette of Okabe and Ito, which readers with any colour vision
//! can distinguish.
//! <https://jfly.uni-koeln.de/color/>

/// Each service and its colour. The last one, a backend, gets the grey that is left.
pub(crate) const SERVICES: [(&str, &str); 8] = [
    ("gateway", "#E69F00"),
    ("catalog", "#56B4E9"),
    ("inventory", "#009E73"),
    ("orders", "#F0E442"),
    ("payments", "#0072B2"),
    ("shipping", "#D55E00"),
    ("notifications", "#CC79A7"),
    ("lens", "#999999"),
];

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
        let names: BTreeSet<_> = SERVICES.iter().map(|(name, _)| *name).collect();
        let colours: BTreeSet<_> = SERVICES.iter().map(|(_, colour)| *colour).collect();
        assert_eq!(names, rules::SERVICES.into());
        assert_eq!(colours.len(), SERVICES.len());
    }
}
