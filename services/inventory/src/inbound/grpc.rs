//! gRPC `mesh.inventory.v1.Inventory` → [`Reservations`].

use std::sync::Arc;

use chassis::{
    Error,
    grpc::{Services, pages},
};
use futures::stream::BoxStream;
use proto::{
    inventory::v1::{
        GetAvailabilityRequest, GetAvailabilityResponse, Item, ListReservationsRequest,
        Reservation as Listed, ReserveRequest, ReserveResponse,
        inventory_server::{self, InventoryServer},
    },
    limits,
};
use tonic::{Request, Response, Status};

use crate::{domain::Reservation, reservations::Reservations};

/// The gRPC service `mesh.inventory.v1.Inventory`.
pub(crate) fn services(reservations: &Arc<Reservations>) -> Services {
    let grpc = Grpc { reservations: Arc::clone(reservations) };
    Services::new(
        proto::DESCRIPTORS,
        InventoryServer::new(grpc).max_decoding_message_size(limits::REQUEST_BYTES),
    )
}

pub(crate) struct Grpc {
    pub(crate) reservations: Arc<Reservations>,
}

#[tonic::async_trait]
impl inventory_server::Inventory for Grpc {
    async fn get_availability(
        &self,
        request: Request<GetAvailabilityRequest>,
    ) -> Result<Response<GetAvailabilityResponse>, Status> {
        let GetAvailabilityRequest { skus } = request.into_inner();
        let available = self.reservations.available(&skus).await.map_err(Error::from)?;
        let items = skus.into_iter().filter_map(|sku| {
            let quantity = i32::try_from(*available.get(&sku)?).unwrap_or(i32::MAX);
            Some(Item { sku, quantity })
        });
        Ok(Response::new(GetAvailabilityResponse { items: items.collect() }))
    }

    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<ReserveResponse>, Status> {
        let request = request.into_inner().try_into().map_err(Error::from)?;
        let expires_at = self.reservations.reserve(&request).await.map_err(Error::from)?;
        Ok(Response::new(ReserveResponse { expires_at_us: expires_at.into() }))
    }

    type ListReservationsStream = BoxStream<'static, Result<Listed, Status>>;

    async fn list_reservations(
        &self,
        _: Request<ListReservationsRequest>,
    ) -> Result<Response<Self::ListReservationsStream>, Status> {
        let reservations = Arc::clone(&self.reservations);
        let read = move |after| {
            let reservations = Arc::clone(&reservations);
            async move { reservations.after(after).await }
        };
        Ok(Response::new(pages(read, |reservation: &Reservation| reservation.order.clone())))
    }
}

#[cfg(test)]
#[path = "grpc/tests.rs"]
mod tests;
