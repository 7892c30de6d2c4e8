//! gRPC `mesh.catalog.v1.Catalog`: prices.

use std::collections::HashMap;

use chassis::{Error, Kind, grpc::Channel};
use proto::{
    catalog::v1::{GetProductsRequest, catalog_client::CatalogClient},
    values::Money,
};

use crate::domain::RequestedItem;

/// A client of the catalogue.
pub(crate) struct Catalog {
    client: CatalogClient<Channel>,
}

impl Catalog {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { client: CatalogClient::new(channel.idempotent()) }
    }

    /// The prices of these items, in their order. The error names all items that are not in the catalogue.
    pub(crate) async fn prices(&self, items: &[RequestedItem]) -> Result<Vec<Money>, Error> {
        let skus = items.iter().map(|item| item.sku.to_string()).collect();
        let response =
            self.client.clone().get_products(GetProductsRequest { skus }).await?.into_inner();
        let products = response.products.into_iter();
        let known: HashMap<_, _> = products
            .filter_map(|product| Some((product.sku, Money::try_from(product.price?).ok()?)))
            .collect();
        let mut unknown = Error::new(Kind::Invalid, "not everything is in the catalogue")
            .reason("UNKNOWN_PRODUCT");
        let mut prices = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let sku = item.sku.as_str();
            match known.get(sku) {
                Some(price) => prices.push(price.clone()),
                None => {
                    let what = format!("no product {sku:?}");
                    unknown = unknown.field(format!("items[{index}].sku"), what);
                }
            }
        }
        if prices.len() == items.len() { Ok(prices) } else { Err(unknown) }
    }
}
