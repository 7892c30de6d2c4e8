//! gRPC `mesh.catalog.v1.Catalog`.

use chassis::{Error, grpc::Channel};
use proto::catalog::v1::{GetProductRequest, catalog_client::CatalogClient};
use tonic::Status;

use super::named;
use crate::{
    requests::ProductQuery,
    resources::{Product, ProductPage},
    wire,
};

/// Reads the products; their availability is not set here.
#[derive(Clone)]
pub(crate) struct Catalog(CatalogClient<Channel>);

impl Catalog {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(CatalogClient::new(channel.idempotent()))
    }

    /// A page of products, in the order of their SKU.
    pub(crate) async fn list(&self, query: ProductQuery) -> Result<ProductPage, Error> {
        let request = wire::list_products(query)?;
        let page = self.0.clone().list_products(request).await.map_err(failed)?.into_inner();
        let items: Result<_, _> = page.products.into_iter().map(wire::product).collect();
        Ok(ProductPage { items: items?, next_cursor: wire::next_cursor(page.next_page_token) })
    }

    pub(crate) async fn get(&self, sku: &str) -> Result<Product, Error> {
        let request = GetProductRequest { sku: sku.to_owned() };
        let answer = self.0.clone().get_product(request).await.map_err(failed)?.into_inner();
        wire::product(answer.product.ok_or_else(|| wire::broken("catalog", "no product"))?)
    }
}

fn failed(status: Status) -> Error {
    named("catalog", status)
}
