//! gRPC `mesh.shipping.v1.Shipping` → the ledger.

use chassis::grpc::Services;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use proto::{
    limits,
    shipping::v1::{
        ListShipmentsRequest, Shipment as Listed,
        shipment::State as ListedState,
        shipping_server::{Shipping, ShippingServer},
    },
};
use tonic::{Request, Response, Status};

use crate::{domain::State, store::Store};

/// Serves the ledger of shipments.
pub(crate) struct Ledger {
    store: Store,
}

impl Ledger {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

pub(crate) fn routes(store: Store) -> Services {
    let server = ShippingServer::new(Ledger::new(store));
    Services::new(server.max_decoding_message_size(limits::REQUEST_BYTES))
}

#[tonic::async_trait]
impl Shipping for Ledger {
    type ListShipmentsStream = BoxStream<'static, Result<Listed, Status>>;

    async fn list_shipments(
        &self,
        _: Request<ListShipmentsRequest>,
    ) -> Result<Response<Self::ListShipmentsStream>, Status> {
        let store = self.store.clone();
        // Each page is read when the client asks for more: the ledger may be larger than memory.
        let pages = stream::try_unfold(Some(String::new()), move |after| {
            let store = store.clone();
            async move {
                let Some(after) = after else { return Ok(None) };
                let page = store.page(&after).await.map_err(chassis::Error::from)?;
                let last = page.last().map(|(order, _)| order.clone());
                Ok::<_, Status>(Some((stream::iter(page).map(|row| Ok(listed(row))), last)))
            }
        });
        Ok(Response::new(pages.try_flatten().boxed()))
    }
}

fn listed((order_id, state): (String, State)) -> Listed {
    let state = match state {
        State::Scheduled => ListedState::Scheduled,
        State::Dispatched => ListedState::Dispatched,
        State::Delivered => ListedState::Delivered,
        State::Cancelled => ListedState::Cancelled,
        State::Returned => ListedState::Returned,
        State::Void => ListedState::Unspecified,
    };
    Listed { order_id, state: state.into() }
}
