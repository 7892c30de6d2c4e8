//! gRPC `mesh.catalog.v1.Catalog`.

use chassis::{Error, grpc::Channel};
use proto::{
    catalog::v1::{
        GetProductRequest, ListProductsRequest, Product as Wire, catalog_client::CatalogClient,
    },
    types::v1::Money as WireMoney,
};

use super::{broken, error, next_cursor};
use crate::resources::{Listing, Money, Product, ProductPage};

/// Reads the products.
#[derive(Clone)]
pub(crate) struct Catalog(CatalogClient<Channel>);

impl Catalog {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(CatalogClient::new(channel.idempotent()))
    }

    /// A page of products that contain these words. Their availability is not set here.
    pub(crate) async fn list(&self, page: Listing, words: String) -> Result<ProductPage, Error> {
        let request = ListProductsRequest {
            page_size: page.limit.unwrap_or_default(),
            page_token: page.cursor,
            query: words,
        };
        let answer = self
            .0
            .clone()
            .list_products(request)
            .await
            .map_err(|status| error("catalog", status))?;
        let answer = answer.into_inner();
        let items: Result<_, _> = answer.products.into_iter().map(product).collect();
        Ok(ProductPage { items: items?, next_cursor: next_cursor(answer.next_page_token) })
    }

    pub(crate) async fn get(&self, sku: &str) -> Result<Product, Error> {
        let request = GetProductRequest { sku: sku.to_owned() };
        let answer =
            self.0.clone().get_product(request).await.map_err(|status| error("catalog", status))?;
        answer.into_inner().product.ok_or_else(|| broken("catalog", "no product")).and_then(product)
    }
}

fn product(wire: Wire) -> Result<Product, Error> {
    let price = wire.price.ok_or_else(|| broken("catalog", "a product without a price"))?;
    Ok(Product {
        sku: wire.sku,
        name: wire.name,
        description: wire.description,
        price: price.into(),
        available: None,
    })
}

impl From<WireMoney> for Money {
    fn from(wire: WireMoney) -> Self {
        Self { currency: wire.currency, amount_minor: wire.amount_minor }
    }
}
