//! gRPC `mesh.orders.v1.Orders` → [`Orders`].

use std::sync::Arc;

use chassis::{
    Error,
    grpc::{Services, pages},
};
use futures::stream::BoxStream;
use proto::{
    limits,
    orders::v1::{
        CancelRequest, CancelResponse, GetRequest, GetResponse, ListAllRequest, ListRequest,
        ListResponse, Order as WireOrder, PlaceRequest, PlaceResponse,
        orders_server::{self, OrdersServer},
    },
};
use tonic::{Request, Response, Status};

use crate::{domain::Order, orders::Orders, wire};

/// The gRPC service `mesh.orders.v1.Orders`.
pub(crate) fn services(orders: &Arc<Orders>) -> Services {
    Services::new(proto::DESCRIPTORS, service(orders))
}

pub(crate) fn service(orders: &Arc<Orders>) -> OrdersServer<Grpc> {
    let grpc = Grpc { orders: Arc::clone(orders) };
    OrdersServer::new(grpc).max_decoding_message_size(limits::REQUEST_BYTES)
}

pub(crate) struct Grpc {
    pub(crate) orders: Arc<Orders>,
}

#[tonic::async_trait]
impl orders_server::Orders for Grpc {
    async fn place(
        &self,
        request: Request<PlaceRequest>,
    ) -> Result<Response<PlaceResponse>, Status> {
        let request = request.into_inner().try_into().map_err(Error::from)?;
        let order = self.orders.place(request).await.map_err(Error::from)?;
        Ok(Response::new(PlaceResponse { order: Some(order.into()) }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let GetRequest { customer, order_id } = request.into_inner();
        let (customer, id) = wire::key(customer, order_id).map_err(Error::from)?;
        let order = self.orders.get(&customer, &id).await.map_err(Error::from)?;
        Ok(Response::new(GetResponse { order: Some(order.into()) }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let selection = request.into_inner().try_into().map_err(Error::from)?;
        let page = self.orders.list(selection).await.map_err(Error::from)?;
        Ok(Response::new(page.into()))
    }

    async fn cancel(
        &self,
        request: Request<CancelRequest>,
    ) -> Result<Response<CancelResponse>, Status> {
        let CancelRequest { customer, order_id } = request.into_inner();
        let (customer, id) = wire::key(customer, order_id).map_err(Error::from)?;
        let order = self.orders.cancel(&customer, &id).await.map_err(Error::from)?;
        Ok(Response::new(CancelResponse { order: Some(order.into()) }))
    }

    type ListAllStream = BoxStream<'static, Result<WireOrder, Status>>;

    async fn list_all(
        &self,
        _: Request<ListAllRequest>,
    ) -> Result<Response<Self::ListAllStream>, Status> {
        let orders = Arc::clone(&self.orders);
        let read = move |after| {
            let orders = Arc::clone(&orders);
            async move { orders.after(after).await }
        };
        Ok(Response::new(pages(read, |order: &Order| order.id.clone())))
    }
}
