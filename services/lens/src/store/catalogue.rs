//! The services and their operations: the lists in a search form.

use std::collections::BTreeMap;

use crate::{cost, domain::Kind};

/// The maximum of operations and services. Operation names are interner from a service's source. A service that puts ids into them
/// makes a mistake, which must not take all memory: further operations are missing in the lists, but their traces can be found.
const OPERATIONS: usize = 4_096;

/// A node of a B-tree holds 5 to 11 entries, so an entry takes up to twice its size.
const NODE_SHARE: usize = 2;

/// The services seen since the start, and their operations by kind.
#[derive(Default)]
pub(super) struct Catalogue {
    services: BTreeMap<Box<str>, Service>,
    operations: usize,
    bytes: usize,
}

struct Service {
    /// The bit that a trace sets if the service took part.
    bit: u64,
    /// The kinds of each operation, one bit for each kind.
    operations: BTreeMap<Box<str>, u8>,
}

impl Catalogue {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Notes an operation; returns the service's bit.
    pub(super) fn note(&mut self, service: &str, operation: &str, kind: Kind) -> u64 {
        if !self.services.contains_key(service) && !self.add_service(service) {
            return LAST_BIT;
        }
        let Some(entry) = self.services.get_mut(service) else { return LAST_BIT };
        if let Some(kinds) = entry.operations.get_mut(operation) {
            *kinds |= 1 << kind.code();
        } else if self.operations < OPERATIONS {
            self.operations += 1;
            self.bytes +=
                NODE_SHARE * size_of::<(Box<str>, u8)>() + cost::allocation(operation.len());
            entry.operations.insert(operation.into(), 1 << kind.code());
        }
        entry.bit
    }

    fn add_service(&mut self, service: &str) -> bool {
        if self.operations >= OPERATIONS {
            return false;
        }
        let bit = 1 << self.services.len().min(63);
        self.operations += 1;
        self.bytes +=
            NODE_SHARE * size_of::<(Box<str>, Service)>() + cost::allocation(service.len());
        self.services.insert(service.into(), Service { bit, operations: BTreeMap::new() });
        true
    }

    /// The bit of a service. An unknown service has the shared bit: only traces that it may be in have that set.
    pub(super) fn bit(&self, service: &str) -> u64 {
        self.services.get(service).map_or(LAST_BIT, |service| service.bit)
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(|name| &**name)
    }

    /// The services whose bits are set; those beyond the 63rd share a bit and are left out.
    pub(super) fn services_of(&self, bits: u64) -> impl Iterator<Item = &str> {
        let named = self
            .services
            .iter()
            .filter(move |(_, service)| service.bit != LAST_BIT && service.bit & bits != 0);
        named.map(|(name, _)| &**name)
    }

    /// The operations by name, then kind; or those of one kind.
    pub(super) fn operations(&self, service: &str, only: Option<Kind>) -> Vec<(&str, Kind)> {
        let operations =
            self.services.get(service).into_iter().flat_map(|service| &service.operations);
        let of_kind = |(name, kinds)| {
            let wanted = move |kind: &Kind| {
                kinds & 1 << kind.code() != 0 && only.is_none_or(|only| only == *kind)
            };
            Kind::ALL.into_iter().filter(wanted).map(move |kind| (name, kind))
        };
        operations.flat_map(|(name, kinds)| of_kind((&**name, *kinds))).collect()
    }
}

/// The bit that all services from the 64th on share.
const LAST_BIT: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_listed_by_name_and_kind() {
        let mut catalogue = Catalogue::default();
        catalogue.note("orders", "send orders.events", Kind::Producer);
        catalogue.note("orders", "Place", Kind::Server);
        catalogue.note("orders", "Place", Kind::Client);
        catalogue.note("orders", "Place", Kind::Server);
        let all = [
            ("Place", Kind::Server),
            ("Place", Kind::Client),
            ("send orders.events", Kind::Producer),
        ];
        assert_eq!(catalogue.operations("orders", None), all);
        assert_eq!(catalogue.operations("orders", Some(Kind::Client)), [("Place", Kind::Client)]);
        assert_eq!(catalogue.operations("nobody", None), []);
    }

    #[test]
    fn operations_named_by_ids_do_not_take_the_memory() {
        let mut catalogue = Catalogue::default();
        for id in 0..100_000 {
            catalogue.note("careless", &format!("GET /orders/{id}"), Kind::Server);
        }
        assert!(catalogue.bytes() < 1 << 20, "{}", catalogue.bytes());
    }
}
