//! gRPC `mesh.orders.v1.Orders` → [`Orders`].

pub(crate) mod wire;

use std::{pin::Pin, sync::Arc};

use chassis::{Error, Kind};
use futures::Stream;
use proto::{
    limits,
    orders::v1::{
        CancelRequest, CancelResponse, GetRequest, GetResponse, ListAllRequest, ListRequest,
        ListResponse, Order, PlaceRequest, PlaceResponse,
        orders_server::{self, OrdersServer},
    },
};
use tonic::{Request, Response, Status};

use crate::orders::Orders;

/// Orders that `ListAll` reads at once.
const CHUNK: i64 = 500;

/// The gRPC service `mesh.orders.v1.Orders`.
pub(crate) fn service(orders: &Arc<Orders>) -> OrdersServer<Grpc> {
    OrdersServer::new(Grpc::new(orders)).max_decoding_message_size(limits::REQUEST_BYTES)
}

pub(crate) struct Grpc {
    orders: Arc<Orders>,
}

impl Grpc {
    pub(crate) fn new(orders: &Arc<Orders>) -> Self {
        Self { orders: Arc::clone(orders) }
    }
}

#[tonic::async_trait]
impl orders_server::Orders for Grpc {
    async fn place(
        &self,
        request: Request<PlaceRequest>,
    ) -> Result<Response<PlaceResponse>, Status> {
        let request = wire::request(request.into_inner())?;
        let order = self.orders.place(request).await.map_err(Error::from)?;
        Ok(Response::new(PlaceResponse { order: Some(wire::order(&order)) }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let GetRequest { customer, order_id } = request.into_inner();
        let order = self.orders.get(&customer, &order_id).await.map_err(Error::from)?;
        Ok(Response::new(GetResponse { order: Some(wire::order(&order)) }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let ListRequest { customer, page_size, page_token, status } = request.into_inner();
        let limit = if page_size == 0 { limits::DEFAULT_PAGE } else { page_size };
        let after = wire::after(&page_token)?;
        let status = wire::known_status(status)?;
        let found = self
            .orders
            .list(&customer, status, after, i64::from(limit) + 1)
            .await
            .map_err(Error::from)?;
        let page: Vec<_> = found.iter().take(limit.unsigned_abs() as usize).collect();
        let more = found.len() > page.len();
        let next_page_token =
            page.last().filter(|_| more).map(|last| wire::token(last)).unwrap_or_default();
        Ok(Response::new(ListResponse {
            orders: page.into_iter().map(wire::order).collect(),
            next_page_token,
        }))
    }

    async fn cancel(
        &self,
        request: Request<CancelRequest>,
    ) -> Result<Response<CancelResponse>, Status> {
        let CancelRequest { customer, order_id } = request.into_inner();
        let order = self.orders.cancel(&customer, &order_id).await.map_err(Error::from)?;
        Ok(Response::new(CancelResponse { order: Some(wire::order(&order)) }))
    }

    type ListAllStream = Pin<Box<dyn Stream<Item = Result<Order, Status>> + Send>>;

    async fn list_all(
        &self,
        _: Request<ListAllRequest>,
    ) -> Result<Response<Self::ListAllStream>, Status> {
        let orders = Arc::clone(&self.orders);
        let chunks = futures::stream::try_unfold(Some(String::new()), move |after| {
            let orders = Arc::clone(&orders);
            async move {
                let Some(after) = after else { return Ok(None) };
                let chunk = orders
                    .all_after(&after, CHUNK)
                    .await
                    .map_err(Error::from)
                    .map_err(Status::from)?;
                let next = chunk.last().map(|last| last.id.clone());
                let messages: Vec<_> = chunk.iter().map(|order| Ok(wire::order(order))).collect();
                Ok::<_, Status>(Some((futures::stream::iter(messages), next)))
            }
        });
        Ok(Response::new(Box::pin(futures::TryStreamExt::try_flatten(chunks))))
    }
}

fn refused(field: &str, what: String) -> Status {
    Error::new(Kind::Invalid, "the request is not what is expected here").field(field, what).into()
}
