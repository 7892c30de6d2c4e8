//! Reads the complete ledger of every service.

use std::collections::HashSet;

use anyhow::Context;
use chassis::text::printable;
use proto::{
    inventory::v1::{ListReservationsRequest, Reservation, inventory_client::InventoryClient},
    orders::v1::{ListAllRequest, Order, orders_client::OrdersClient},
    payments::v1::{
        Charge, ListChargesRequest, ListPaymentsRequest, Payment, charges_client::ChargesClient,
        payments_client::PaymentsClient,
    },
    shipping::v1::{ListShipmentsRequest, Shipment, shipping_client::ShippingClient},
};
use tonic::{
    Code, Response, Status, Streaming,
    transport::{Channel, Endpoint},
};

use super::reconcile::Ledgers;

/// The addresses of the ledgers; any replica will do.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) orders: Vec<String>,
    pub(super) payments: Vec<String>,
    pub(super) inventory: Vec<String>,
    pub(super) shipping: Vec<String>,
}

impl Addresses {
    /// Reads the orders first, then the other ledgers, then the orders again: what happens meanwhile causes no difference.
    pub(super) async fn read(&self) -> anyhow::Result<Ledgers> {
        let orders = self.orders().await?;
        let (payments, charges, reservations, shipments) = tokio::try_join!(
            self.payments(),
            self.charges(),
            self.reservations(),
            self.shipments()
        )?;
        let known: HashSet<_> =
            self.orders().await?.into_iter().map(|order| order.order_id).collect();
        Ok(Ledgers { orders, payments, charges, reservations, shipments, known })
    }

    async fn orders(&self) -> anyhow::Result<Vec<Order>> {
        let mut client = OrdersClient::new(connect("orders", &self.orders).await?);
        all("orders", client.list_all(ListAllRequest {}).await).await
    }

    async fn payments(&self) -> anyhow::Result<Vec<Payment>> {
        let mut client = PaymentsClient::new(connect("payments", &self.payments).await?);
        all("payments", client.list_payments(ListPaymentsRequest {}).await).await
    }

    /// The payment provider's own charges; empty if it shows no ledger.
    async fn charges(&self) -> anyhow::Result<Vec<Charge>> {
        let mut client = ChargesClient::new(connect("payments", &self.payments).await?);
        let mut stream = match client.list_charges(ListChargesRequest {}).await {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::Unimplemented => return Ok(Vec::new()),
            refused => return all("the payment provider", refused).await,
        };
        let mut charges = Vec::new();
        loop {
            match stream.message().await {
                Ok(Some(charge)) => charges.push(charge),
                Ok(None) => return Ok(charges),
                Err(status) if status.code() == Code::Unimplemented => return Ok(charges),
                Err(status) => return Err(unreadable("the payment provider", &status)),
            }
        }
    }

    async fn reservations(&self) -> anyhow::Result<Vec<Reservation>> {
        let mut client = InventoryClient::new(connect("inventory", &self.inventory).await?);
        all("inventory", client.list_reservations(ListReservationsRequest {}).await).await
    }

    async fn shipments(&self) -> anyhow::Result<Vec<Shipment>> {
        let mut client = ShippingClient::new(connect("shipping", &self.shipping).await?);
        all("shipping", client.list_shipments(ListShipmentsRequest {}).await).await
    }
}

/// Connects to the first replica that answers.
async fn connect(service: &str, addresses: &[String]) -> anyhow::Result<Channel> {
    let mut last = anyhow::anyhow!("no address of {service} is known");
    for address in addresses {
        let endpoint = Endpoint::from_shared(address.clone())
            .with_context(|| format!("{address:?} is no address of {service}"))?;
        match endpoint.connect().await {
            Ok(channel) => return Ok(channel),
            Err(error) => {
                last = anyhow::Error::new(error)
                    .context(format!("{service} does not answer at {address}"))
            }
        }
    }
    Err(last)
}

/// The maximum length of a message from another service: it should fit on a few lines.
const LONGEST_MESSAGE: usize = 300;

async fn all<T>(
    service: &str,
    answer: Result<Response<Streaming<T>>, Status>,
) -> anyhow::Result<Vec<T>> {
    let failed = |status: Status| unreadable(service, &status);
    let mut stream = answer.map_err(failed)?.into_inner();
    let mut all = Vec::new();
    while let Some(entry) = stream.message().await.map_err(failed)? {
        all.push(entry);
    }
    Ok(all)
}

fn unreadable(service: &str, status: &Status) -> anyhow::Error {
    let (text, code) = (printable(status.message(), LONGEST_MESSAGE), status.code());
    anyhow::anyhow!("cannot read the ledger of {service}: {text} ({code:?})")
}
