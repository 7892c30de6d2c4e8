//! gRPC `mesh.inventory.v1.Inventory` → [`Reservations`].

use std::{pin::Pin, sync::Arc};

use chassis::Error;
use futures::{Stream, TryStreamExt, stream};
use proto::{
    inventory::v1::{
        GetAvailabilityRequest, GetAvailabilityResponse, Line, ListReservationsRequest,
        Reservation, ReserveRequest, ReserveResponse,
        inventory_server::{self, InventoryServer},
        reservation,
    },
    limits,
};
use tonic::{Request, Response, Status};

use super::orders::order;
use crate::{
    domain::{self, Lines, State},
    reservations::{self, Reservations},
};

/// The reservations that `ListReservations` reads at once: all of them do not fit into memory.
const CHUNK: i64 = 500;

/// The gRPC service `mesh.inventory.v1.Inventory`.
pub(crate) fn service(reservations: &Arc<Reservations>) -> InventoryServer<Grpc> {
    InventoryServer::new(Grpc { reservations: Arc::clone(reservations) })
        .max_decoding_message_size(limits::REQUEST_BYTES)
}

pub(crate) struct Grpc {
    reservations: Arc<Reservations>,
}

#[tonic::async_trait]
impl inventory_server::Inventory for Grpc {
    async fn get_availability(
        &self,
        request: Request<GetAvailabilityRequest>,
    ) -> Result<Response<GetAvailabilityResponse>, Status> {
        let GetAvailabilityRequest { skus } = request.into_inner();
        let available = self.reservations.available(&skus).await.map_err(Error::from)?;
        let lines = skus.into_iter().filter_map(|sku| {
            let quantity = *available.get(&sku)?;
            Some(message(domain::Line { sku, quantity }))
        });
        Ok(Response::new(GetAvailabilityResponse { lines: lines.collect() }))
    }

    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<ReserveResponse>, Status> {
        let request = wanted(request.into_inner())?;
        let expires_at_us = self.reservations.reserve(&request).await.map_err(Error::from)?;
        Ok(Response::new(ReserveResponse { expires_at_us }))
    }

    type ListReservationsStream = Pin<Box<dyn Stream<Item = Result<Reservation, Status>> + Send>>;

    async fn list_reservations(
        &self,
        _: Request<ListReservationsRequest>,
    ) -> Result<Response<Self::ListReservationsStream>, Status> {
        let reservations = Arc::clone(&self.reservations);
        let chunks = stream::try_unfold(None, move |last| {
            let reservations = Arc::clone(&reservations);
            async move {
                let chunk = reservations.after(last, CHUNK).await.map_err(Error::from)?;
                let Some(last) = chunk.last().map(|last| last.order) else { return Ok(None) };
                let messages = chunk.into_iter().map(|one| Ok(listed(one)));
                Ok::<_, Status>(Some((stream::iter(messages), Some(last))))
            }
        });
        Ok(Response::new(Box::pin(chunks.try_flatten())))
    }
}

fn wanted(request: ReserveRequest) -> Result<reservations::Request, Error> {
    let line = |Line { sku, quantity }| domain::Line { sku, quantity: i64::from(quantity) };
    Ok(reservations::Request {
        order: order(&request.order_id)?,
        customer: request.customer,
        lines: Lines::parse(request.lines.into_iter().map(line).collect())?,
    })
}

fn listed(one: domain::Reservation) -> Reservation {
    let state = match one.state {
        State::Held => reservation::State::Held,
        State::Committed => reservation::State::Committed,
        State::Released => reservation::State::Released,
    };
    Reservation {
        order_id: one.order.to_string(),
        state: state.into(),
        lines: one.lines.into_iter().map(message).collect(),
    }
}

fn message(line: domain::Line) -> Line {
    Line { sku: line.sku, quantity: i32::try_from(line.quantity).unwrap_or(i32::MAX) }
}

#[cfg(test)]
#[path = "grpc/tests.rs"]
mod tests;
