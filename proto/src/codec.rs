//! gRPC's codec: protobuf, and no request that breaks a limit reaches a service.

use std::marker::PhantomData;

use prost::Message;
use tonic::{
    Code, Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    catalog, inventory,
    limits::{self, Limited, Violations},
    orders, payments, shipping,
};

/// What a call may receive.
pub trait Received: Message + Default + Send + 'static {
    /// Who made a mistake if it cannot be decoded: the caller of a request, the callee of a response.
    const UNDECODABLE: Code;

    /// Checks every field.
    ///
    /// # Errors
    /// All violations at once.
    fn check(&self) -> Result<(), Violations>;
}

/// Every request has limits, or it does not compile.
impl<M: Limited + Message + Default + Send + 'static> Received for M {
    const UNDECODABLE: Code = Code::InvalidArgument;

    fn check(&self) -> Result<(), Violations> {
        limits::check(self)
    }
}

macro_rules! responses {
    ($($message:ty),+ $(,)?) => {
        $(impl Received for $message {
            const UNDECODABLE: Code = Code::Internal;

            fn check(&self) -> Result<(), Violations> {
                Ok(())
            }
        })+
    };
}

responses! {
    catalog::v1::GetProductResponse,
    catalog::v1::GetProductsResponse,
    catalog::v1::ListProductsResponse,
    inventory::v1::GetAvailabilityResponse,
    inventory::v1::Reservation,
    inventory::v1::ReserveResponse,
    orders::v1::CancelResponse,
    orders::v1::GetResponse,
    orders::v1::ListResponse,
    orders::v1::Order,
    orders::v1::PlaceResponse,
    payments::v1::Charge,
    payments::v1::Payment,
    shipping::v1::Shipment,
}

/// Encodes `T`, decodes and checks `U`. The generated clients and servers use it.
#[derive(Debug)]
pub struct Checked<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Checked<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + Send + 'static, U: Received> Codec for Checked<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Checking<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Checking<U> {
        Checking(PhantomData)
    }
}

/// Decodes and checks `U`.
#[derive(Debug)]
pub struct Checking<U>(PhantomData<U>);

impl<U: Received> Decoder for Checking<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = U::decode(buffer).map_err(|error| undecodable(U::UNDECODABLE, &error))?;
        message.check().map_err(|violations| refused(&violations))?;
        Ok(Some(message))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a message is refused before there is an error of ours"
)]
fn undecodable(code: Code, error: &prost::DecodeError) -> Status {
    Status::new(code, format!("the message cannot be decoded: {error}"))
}

/// As the standard error details say it: <https://cloud.google.com/apis/design/errors>
fn refused(violations: &Violations) -> Status {
    let mut details = ErrorDetails::new();
    for violation in violations.as_slice() {
        details.add_bad_request_violation(&violation.field, &violation.message);
    }
    let text = format!("the request breaks limits: {violations}");
    Status::with_error_details(Code::InvalidArgument, text, details)
}
