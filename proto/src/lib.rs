//! The contracts between the services: gRPC, the events on Kafka, the live messages on NATS.
//!
//! `mesh/<owner>/v1/*.proto` are the source; `src/gen` is generated from them and checked in, so that building needs no
//! `protoc`; `tests/drift` holds both together. [`topics`] and [`subjects`] tie names to types; [`limits`] bounds every field.

pub mod codec;
pub mod limits;
pub mod subjects;
pub mod topics;
pub mod values;

pub use chassis::contract::Message;

/// Every contract as an encoded `google.protobuf.FileDescriptorSet`, for gRPC server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

macro_rules! packages {
    ($($(#[$doc:meta])+ $owner:ident),+ $(,)?) => {
        $(
            $(#[$doc])+
            pub mod $owner {
                /// Version 1: only additions, until a `v2` stands beside it.
                #[allow(
                    missing_docs, clippy::all, clippy::clone_on_ref_ptr, clippy::let_underscore_must_use,
                    unused_qualifications, clippy::too_many_lines, clippy::unwrap_used, reason = "generated"
                )]
                pub mod v1 {
                    include!(concat!("gen/mesh.", stringify!($owner), ".v1.rs"));
                }
            }
        )+
    };
}

packages! {
    /// The products of the shop.
    catalog,
    /// The stock and its reservations.
    inventory,
    /// The updates that a customer's open page receives.
    notifications,
    /// Orders and their history.
    orders,
    /// Charges and refunds.
    payments,
    /// Parcels.
    shipping,
    /// Values that several contracts use.
    types,
}
