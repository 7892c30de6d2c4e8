//! gRPC `mesh.payments.v1.Payments` and `Charges` → [`Payments`].

use std::sync::Arc;

use chassis::grpc::{Services, pages};
use futures::stream::BoxStream;
use proto::{
    limits,
    payments::v1::{
        Charge, ListChargesRequest, ListPaymentsRequest, Payment as Listed,
        charges_server::{self, ChargesServer},
        payments_server::{self, PaymentsServer},
    },
};
use tonic::{Request, Response, Status};

use crate::{domain::Payment, outbound::Entry, payments::Payments};

/// The gRPC services `mesh.payments.v1.Payments` and `mesh.payments.v1.Charges`.
pub(crate) fn services(payments: &Arc<Payments>) -> Services {
    let grpc = Grpc { payments: Arc::clone(payments) };
    let charges = ChargesServer::new(grpc.clone());
    Services::new(
        proto::DESCRIPTORS,
        PaymentsServer::new(grpc).max_decoding_message_size(limits::REQUEST_BYTES),
    )
    .with(charges.max_decoding_message_size(limits::REQUEST_BYTES))
}

#[derive(Clone)]
pub(crate) struct Grpc {
    pub(crate) payments: Arc<Payments>,
}

#[tonic::async_trait]
impl payments_server::Payments for Grpc {
    type ListPaymentsStream = BoxStream<'static, Result<Listed, Status>>;

    async fn list_payments(
        &self,
        _: Request<ListPaymentsRequest>,
    ) -> Result<Response<Self::ListPaymentsStream>, Status> {
        let payments = Arc::clone(&self.payments);
        let read = move |after| {
            let payments = Arc::clone(&payments);
            async move { payments.after(after).await }
        };
        Ok(Response::new(pages(read, |payment: &Payment| payment.order.clone())))
    }
}

#[tonic::async_trait]
impl charges_server::Charges for Grpc {
    type ListChargesStream = BoxStream<'static, Result<Charge, Status>>;

    async fn list_charges(
        &self,
        _: Request<ListChargesRequest>,
    ) -> Result<Response<Self::ListChargesStream>, Status> {
        let payments = Arc::clone(&self.payments);
        let read = move |after| {
            let payments = Arc::clone(&payments);
            async move { payments.charges_after(after).await }
        };
        Ok(Response::new(pages(read, |entry: &Entry| entry.number)))
    }
}
