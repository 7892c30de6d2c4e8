//! Fakes of the services behind the gateway, as their contracts describe them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chassis::{Error, Kind};
use futures::stream::BoxStream;
use parking_lot::Mutex;
use proto::{
    catalog::v1::{self as catalog, catalog_server::Catalog},
    inventory::v1::{self as inventory, inventory_server::Inventory},
    orders::v1::{self as orders, orders_server::Orders},
    types::v1::Money,
};
use tonic::{Request, Response, Status};

/// What the fakes know, and how they behave.
#[derive(Default)]
pub(super) struct Peers {
    pub(super) orders: Mutex<BTreeMap<String, orders::Order>>,
    pub(super) placed: Mutex<Vec<orders::PlaceRequest>>,
    pub(super) listed: Mutex<Vec<orders::ListRequest>>,
    pub(super) searched: Mutex<Vec<catalog::ListProductsRequest>>,
    behaviours: Mutex<HashMap<&'static str, Behaviour>>,
}

/// How a method behaves.
enum Behaviour {
    Fails(Box<dyn Fn() -> Error + Send>),
    Hangs,
}

impl Peers {
    /// From now on the method answers with this error.
    pub(super) fn fail(&self, method: &'static str, error: impl Fn() -> Error + Send + 'static) {
        self.behaviours.lock().insert(method, Behaviour::Fails(Box::new(error)));
    }

    /// From now on the method never answers.
    pub(super) fn hang(&self, method: &'static str) {
        self.behaviours.lock().insert(method, Behaviour::Hangs);
    }

    pub(super) fn recover(&self, method: &'static str) {
        self.behaviours.lock().remove(method);
    }

    async fn behave(&self, method: &'static str) -> Result<(), Status> {
        let error = match self.behaviours.lock().get(method) {
            None => return Ok(()),
            Some(Behaviour::Fails(error)) => Some(error()),
            Some(Behaviour::Hangs) => None,
        };
        match error {
            Some(error) => Err(error.into()),
            None => std::future::pending().await,
        }
    }

    /// Adds a status to an order; creates the order with the first one.
    pub(super) fn step(&self, id: &str, status: orders::Status) {
        let mut orders = self.orders.lock();
        let order = orders.entry(id.to_owned()).or_insert_with(|| order(id));
        order.status = status.into();
        order.history.push(orders::Step { status: status.into(), at_us: 1_773_480_413_589_793 });
        order.revision += 1;
        if status == orders::Status::Cancelled {
            order.cancel_reason = orders::CancelReason::PaymentDeclined.into();
        }
    }

    fn find(&self, id: &str) -> Result<orders::Order, Status> {
        let missing =
            || Error::new(Kind::NotFound, format!("no order {id}")).reason("UNKNOWN_ORDER");
        self.orders.lock().get(id).cloned().ok_or_else(|| missing().into())
    }
}

fn money(amount_minor: i64) -> Option<Money> {
    Some(Money { currency: "EUR".into(), amount_minor })
}

fn order(id: &str) -> orders::Order {
    let item = orders::Item { sku: "teapot".into(), quantity: 2, unit_price: money(1999) };
    orders::Order {
        order_id: id.into(),
        customer: "guest".into(),
        items: vec![item],
        total: money(3998),
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
        ..orders::Order::default()
    }
}

/// One of the fakes, for tonic.
#[derive(Clone)]
pub(super) struct Peer(pub(super) Arc<Peers>);

#[tonic::async_trait]
impl Catalog for Peer {
    async fn list_products(
        &self,
        request: Request<catalog::ListProductsRequest>,
    ) -> Result<Response<catalog::ListProductsResponse>, Status> {
        self.0.behave("list_products").await?;
        self.0.searched.lock().push(request.into_inner());
        let products = vec![product("cup"), product("teapot")];
        Ok(Response::new(catalog::ListProductsResponse {
            products,
            next_page_token: "dGVhcG90".into(),
        }))
    }

    async fn get_product(
        &self,
        request: Request<catalog::GetProductRequest>,
    ) -> Result<Response<catalog::GetProductResponse>, Status> {
        let sku = request.into_inner().sku;
        if sku != "teapot" {
            return Err(Error::new(Kind::NotFound, "no such product").into());
        }
        Ok(Response::new(catalog::GetProductResponse { product: Some(product(&sku)) }))
    }

    async fn get_products(
        &self,
        _: Request<catalog::GetProductsRequest>,
    ) -> Result<Response<catalog::GetProductsResponse>, Status> {
        Err(Error::new(Kind::Unimplemented, "the gateway does not call this method").into())
    }
}

fn product(sku: &str) -> catalog::Product {
    let name = format!("A {sku}");
    catalog::Product { sku: sku.into(), description: format!("{name}."), name, price: money(1999) }
}

#[tonic::async_trait]
impl Inventory for Peer {
    async fn get_availability(
        &self,
        request: Request<inventory::GetAvailabilityRequest>,
    ) -> Result<Response<inventory::GetAvailabilityResponse>, Status> {
        self.0.behave("get_availability").await?;
        let skus = request.into_inner().skus.into_iter().filter(|sku| sku == "teapot");
        let items = skus.map(|sku| inventory::Item { sku, quantity: 7 }).collect();
        Ok(Response::new(inventory::GetAvailabilityResponse { items }))
    }

    async fn reserve(
        &self,
        _: Request<inventory::ReserveRequest>,
    ) -> Result<Response<inventory::ReserveResponse>, Status> {
        Err(Error::new(Kind::Unimplemented, "the gateway does not call this method").into())
    }

    type ListReservationsStream = BoxStream<'static, Result<inventory::Reservation, Status>>;

    async fn list_reservations(
        &self,
        _: Request<inventory::ListReservationsRequest>,
    ) -> Result<Response<Self::ListReservationsStream>, Status> {
        Err(Error::new(Kind::Unimplemented, "the gateway does not call this method").into())
    }
}

#[tonic::async_trait]
impl Orders for Peer {
    async fn place(
        &self,
        request: Request<orders::PlaceRequest>,
    ) -> Result<Response<orders::PlaceResponse>, Status> {
        let request = request.into_inner();
        self.0.placed.lock().push(request);
        self.0.behave("place").await?;
        let id = "6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11";
        if self.0.find(id).is_err() {
            self.0.step(id, orders::Status::Placed);
        }
        Ok(Response::new(orders::PlaceResponse { order: Some(self.0.find(id)?) }))
    }

    async fn get(
        &self,
        request: Request<orders::GetRequest>,
    ) -> Result<Response<orders::GetResponse>, Status> {
        self.0.behave("get").await?;
        let order = self.0.find(&request.into_inner().order_id)?;
        Ok(Response::new(orders::GetResponse { order: Some(order) }))
    }

    async fn list(
        &self,
        request: Request<orders::ListRequest>,
    ) -> Result<Response<orders::ListResponse>, Status> {
        self.0.behave("list").await?;
        self.0.listed.lock().push(request.into_inner());
        let orders = self.0.orders.lock().values().cloned().collect();
        Ok(Response::new(orders::ListResponse { orders, next_page_token: String::new() }))
    }

    async fn cancel(
        &self,
        request: Request<orders::CancelRequest>,
    ) -> Result<Response<orders::CancelResponse>, Status> {
        self.0.behave("cancel").await?;
        let id = request.into_inner().order_id;
        self.0.find(&id)?;
        self.0.step(&id, orders::Status::Cancelled);
        Ok(Response::new(orders::CancelResponse { order: Some(self.0.find(&id)?) }))
    }

    type ListAllStream = BoxStream<'static, Result<orders::Order, Status>>;

    async fn list_all(
        &self,
        _: Request<orders::ListAllRequest>,
    ) -> Result<Response<Self::ListAllStream>, Status> {
        Err(Error::new(Kind::Unimplemented, "the gateway does not call this method").into())
    }
}
