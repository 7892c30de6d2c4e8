//! An order request, and the id of its order.

use proto::values::{CustomerId, OrderId, Quantity, Sku};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The namespace of order ids.
const ORDERS: Uuid = Uuid::from_u128(0x7c1e_33a5_6f0a_4d3b_9b6c_2f44_5e0d_8a17);

/// A request to place an order; within the limits of `proto::limits`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) customer: CustomerId,
    pub(crate) items: Vec<RequestedItem>,
    pub(crate) payment_token: String,
    pub(crate) idempotency_key: String,
}

/// A quantity of one product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestedItem {
    pub(crate) sku: Sku,
    pub(crate) quantity: Quantity,
}

impl Request {
    /// The order's id: the same customer and key result in the same order, on every replica. A UUID of version 5 over the
    /// [encoding](encode) of customer and key.
    pub(crate) fn id(&self) -> OrderId {
        let parts = [self.customer.as_str(), self.idempotency_key.as_str()];
        order_id(&ORDERS, &encode(parts.map(str::as_bytes)))
    }

    /// The fingerprint of the content: a request with the same key but another content must not get this order. SHA-256, in
    /// hexadecimal, over the [encoding](encode) of the token and each item's SKU and quantity (four bytes, big-endian).
    pub(crate) fn fingerprint(&self) -> String {
        let quantities: Vec<_> =
            self.items.iter().map(|item| item.quantity.get().to_be_bytes()).collect();
        let items = self.items.iter().zip(&quantities);
        let items = items.flat_map(|(item, quantity)| [item.sku.as_str().as_bytes(), quantity]);
        let digest =
            Sha256::digest(encode([self.payment_token.as_bytes()].into_iter().chain(items)));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The id and the fingerprint in their former format, text with separators, so that requests for orders of that time can be
    /// repeated. Customers and keys contain no NUL, so the text of the id is unambiguous.
    pub(crate) fn former(&self) -> (OrderId, String) {
        let items = self.items.iter().map(|item| (item.sku.as_str(), item.quantity.get()));
        let content = format!("{:?}\0{}", items.collect::<Vec<_>>(), self.payment_token);
        let name = format!("{}\0{}", self.customer, self.idempotency_key);
        (
            order_id(&Uuid::NAMESPACE_OID, name.as_bytes()),
            Uuid::new_v5(&Uuid::NAMESPACE_OID, content.as_bytes()).to_string(),
        )
    }
}

fn order_id(namespace: &Uuid, name: &[u8]) -> OrderId {
    let id = Uuid::new_v5(namespace, name).to_string();
    OrderId::try_from(id).expect("the text of a UUID is within its limit")
}

/// Concatenates the parts, each after its length in four bytes, big-endian: two different lists of parts never have the same
/// encoding.
fn encode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut encoded = Vec::new();
    for part in parts {
        let length = u32::try_from(part.len()).expect("a request is no larger than 64 KiB");
        encoded.extend(length.to_be_bytes());
        encoded.extend(part);
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(items: &[(&str, i64)], key: &str) -> Request {
        let items = items.iter().map(|(sku, quantity)| RequestedItem {
            sku: Sku::stored((*sku).to_owned()),
            quantity: (*quantity).try_into().unwrap(),
        });
        Request {
            customer: "ada".try_into().unwrap(),
            items: items.collect(),
            payment_token: "tok_ok".into(),
            idempotency_key: key.into(),
        }
    }

    #[test]
    fn the_same_customer_and_key_have_the_same_id() {
        let (first, again) = (request(&[("teapot", 1)], "k"), request(&[("kettle", 2)], "k"));
        assert_eq!(first.id(), again.id());
        assert_ne!(first.fingerprint(), again.fingerprint());
        let other =
            Request { customer: "bob".try_into().unwrap(), ..request(&[("teapot", 1)], "k") };
        assert_ne!(first.id(), other.id());
    }

    #[test]
    fn parts_with_separators_have_different_ids_and_fingerprints() {
        let made_of = |customer: &str, key: &str| {
            Request {
                customer: CustomerId::stored(customer.into()),
                ..request(&[("teapot", 1)], key)
            }
            .id()
        };
        assert_ne!(made_of("a\0b", "c"), made_of("a", "b\0c"));
        assert_ne!(made_of("ab", "c"), made_of("a", "bc"));
        let quoted = request(&[("a\", 1), (\"b", 1)], "k").fingerprint();
        assert_ne!(quoted, request(&[("a", 1), ("b", 1)], "k").fingerprint());
    }

    /// With another encoding, a request that is repeated after the upgrade would place a second order.
    #[test]
    fn ids_and_fingerprints_are_those_of_earlier_versions() {
        let request = request(&[("teapot", 1), ("cup", 100)], "click-7");
        assert_eq!(
            (request.id().as_str(), request.fingerprint().as_str(), request.former().0.as_str()),
            (
                "41bd6ef5-2f77-50eb-9b69-1ee93b3d2d20",
                "8d7062c80551614a657fb43b806fa7e333a925fe3718daba6f710d63e2956a3e",
                "33e31598-6c60-514a-868c-03aee0ff4cd8"
            )
        );
    }

    proptest! {
        #[test]
        fn different_parts_have_different_encodings(
            one in proptest::collection::vec("[a\0,:\"]{0,3}", 0..4),
            other in proptest::collection::vec("[a\0,:\"]{0,3}", 0..4),
        ) {
            let encoded = |parts: &[String]| encode(parts.iter().map(String::as_bytes));
            prop_assert_eq!(one == other, encoded(&one) == encoded(&other));
        }
    }
}
