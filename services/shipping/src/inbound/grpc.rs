//! gRPC `mesh.shipping.v1.Shipping` → [`Shipments::after`].

use std::sync::Arc;

use chassis::grpc::{Services, pages};
use futures::stream::BoxStream;
use proto::{
    limits,
    shipping::v1::{
        ListShipmentsRequest, Shipment as Listed,
        shipping_server::{self, ShippingServer},
    },
};
use tonic::{Request, Response, Status};

use crate::{shipments::Shipments, store::Entry};

/// The gRPC service `mesh.shipping.v1.Shipping`.
pub(crate) fn services(shipments: &Arc<Shipments>) -> Services {
    let grpc = Grpc { shipments: Arc::clone(shipments) };
    Services::new(
        proto::DESCRIPTORS,
        ShippingServer::new(grpc).max_decoding_message_size(limits::REQUEST_BYTES),
    )
}

pub(crate) struct Grpc {
    pub(crate) shipments: Arc<Shipments>,
}

#[tonic::async_trait]
impl shipping_server::Shipping for Grpc {
    type ListShipmentsStream = BoxStream<'static, Result<Listed, Status>>;

    async fn list_shipments(
        &self,
        _: Request<ListShipmentsRequest>,
    ) -> Result<Response<Self::ListShipmentsStream>, Status> {
        let shipments = Arc::clone(&self.shipments);
        let read = move |after| {
            let shipments = Arc::clone(&shipments);
            async move { shipments.after(after).await }
        };
        Ok(Response::new(pages(read, |entry: &Entry| entry.order.clone())))
    }
}
