//! An order request, and the id of its order.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The namespace of order ids.
const ORDERS: Uuid = Uuid::from_u128(0x7c1e_33a5_6f0a_4d3b_9b6c_2f44_5e0d_8a17);

/// A request to place an order; within the limits of `proto::limits`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) customer: String,
    pub(crate) items: Vec<(String, u32)>,
    pub(crate) payment_token: String,
    pub(crate) idempotency_key: String,
}

impl Request {
    /// The order's id: the same customer and key result in the same order, on every replica. A UUID of version 5 over the
    /// [encoding](encode) of customer and key.
    pub(crate) fn id(&self) -> String {
        let name = encode([self.customer.as_bytes(), self.idempotency_key.as_bytes()]);
        Uuid::new_v5(&ORDERS, &name).to_string()
    }

    /// The fingerprint of the content: a request with the same key but another content must not get this order. SHA-256, in
    /// hexadecimal, over the [encoding](encode) of the token and each item's SKU and quantity (four bytes, big-endian).
    pub(crate) fn fingerprint(&self) -> String {
        let quantities: Vec<_> =
            self.items.iter().map(|(_, pieces)| pieces.to_be_bytes()).collect();
        let items = self.items.iter().zip(&quantities);
        let items = items.flat_map(|((sku, _), quantity)| [sku.as_bytes(), &quantity[..]]);
        let digest =
            Sha256::digest(encode([self.payment_token.as_bytes()].into_iter().chain(items)));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The id and the fingerprint in their former format, text with separators, so that requests for orders of that time can be
    /// repeated. Customers and keys contain no NUL, so the text of the id is unambiguous.
    pub(crate) fn former(&self) -> (String, String) {
        let made_of =
            |text: String| Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string();
        (
            made_of(format!("{}\0{}", self.customer, self.idempotency_key)),
            made_of(format!("{:?}\0{}", self.items, self.payment_token)),
        )
    }
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

    fn request(items: &[(&str, u32)], key: &str) -> Request {
        let items = items.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect();
        Request {
            customer: "ada".into(),
            items,
            payment_token: "tok_ok".into(),
            idempotency_key: key.into(),
        }
    }

    #[test]
    fn a_key_stands_for_one_order_of_one_customer() {
        let (first, again) = (request(&[("teapot", 1)], "k"), request(&[("kettle", 2)], "k"));
        assert_eq!(first.id(), again.id());
        assert_ne!(first.fingerprint(), again.fingerprint());
        let other = Request { customer: "bob".into(), ..request(&[("teapot", 1)], "k") };
        assert_ne!(first.id(), other.id());
    }

    #[test]
    fn where_one_part_ends_and_the_next_begins_is_unambiguous() {
        let made_of = |customer: &str, key: &str| {
            Request { customer: customer.into(), ..request(&[("teapot", 1)], key) }.id()
        };
        assert_ne!(made_of("a\0b", "c"), made_of("a", "b\0c"));
        assert_ne!(made_of("ab", "c"), made_of("a", "bc"));
        let quoted = request(&[("a\", 1), (\"b", 1)], "k").fingerprint();
        assert_ne!(quoted, request(&[("a", 1), ("b", 1)], "k").fingerprint());
    }

    /// With another encoding, a request that is repeated after the upgrade would place a second order.
    #[test]
    fn the_encodings_stay_as_they_are() {
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
