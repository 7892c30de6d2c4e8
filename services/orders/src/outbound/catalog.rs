//! gRPC `mesh.catalog.v1.Catalog`: prices.

use std::collections::HashMap;

use chassis::{Error, Kind, grpc::Channel};
use proto::catalog::v1::{GetProductsRequest, Product, catalog_client::CatalogClient};

/// The price of one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) currency: String,
    pub(crate) amount_minor: i64,
}

/// A client of the catalogue.
pub(crate) struct Catalog {
    client: CatalogClient<Channel>,
}

impl Catalog {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { client: CatalogClient::new(channel.idempotent()) }
    }

    /// The prices of these items, in their order. The error names all items that are not in the catalogue.
    pub(crate) async fn prices(&self, items: &[(String, u32)]) -> Result<Vec<Price>, Error> {
        let skus = items.iter().map(|(sku, _)| sku.clone()).collect();
        let response =
            self.client.clone().get_products(GetProductsRequest { skus }).await?.into_inner();
        let known: HashMap<_, _> =
            response.products.into_iter().map(|product| (product.sku.clone(), product)).collect();
        let mut refused = Error::new(Kind::Invalid, "not everything is in the catalogue")
            .reason("UNKNOWN_PRODUCT");
        let mut prices = Vec::with_capacity(items.len());
        for (index, (sku, _)) in items.iter().enumerate() {
            match known.get(sku).and_then(price) {
                Some(price) => prices.push(price),
                None => {
                    refused =
                        refused.field(format!("items[{index}].sku"), format!("no product {sku:?}"))
                }
            }
        }
        if prices.len() == items.len() { Ok(prices) } else { Err(refused) }
    }
}

fn price(product: &Product) -> Option<Price> {
    let money = product.price.as_ref()?;
    Some(Price { currency: money.currency.clone(), amount_minor: money.amount_minor })
}
