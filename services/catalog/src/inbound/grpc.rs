//! gRPC `mesh.catalog.v1.Catalog` → [`Products`].

use chassis::Error;
use proto::{
    catalog::v1::{
        GetProductRequest, GetProductResponse, GetProductsRequest, GetProductsResponse,
        ListProductsRequest, ListProductsResponse, Product,
        catalog_server::{self, CatalogServer},
    },
    limits,
    types::v1::Money,
};
use tonic::{Request, Response, Status};

use crate::{
    domain::{self, Selection},
    products::Products,
};

/// The gRPC service `mesh.catalog.v1.Catalog`.
pub(crate) fn service(products: Products) -> CatalogServer<Grpc> {
    CatalogServer::new(Grpc { products }).max_decoding_message_size(limits::REQUEST_BYTES)
}

pub(crate) struct Grpc {
    products: Products,
}

#[tonic::async_trait]
impl catalog_server::Catalog for Grpc {
    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let ListProductsRequest { page_size, page_token, query } = request.into_inner();
        let selection = Selection::parse(page_size, &page_token, &query)?;
        let page = self.products.list(selection).await.map_err(Error::from)?;
        let products = page.products.iter().map(message).collect();
        let next_page_token = page.next_token.clone();
        Ok(Response::new(ListProductsResponse { products, next_page_token }))
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<GetProductResponse>, Status> {
        let GetProductRequest { sku } = request.into_inner();
        let product = self.products.get(&sku).await.map_err(Error::from)?;
        Ok(Response::new(GetProductResponse { product: Some(message(&product)) }))
    }

    async fn get_products(
        &self,
        request: Request<GetProductsRequest>,
    ) -> Result<Response<GetProductsResponse>, Status> {
        let GetProductsRequest { skus } = request.into_inner();
        let found = self.products.get_all(&skus).await.map_err(Error::from)?;
        let products = found.iter().map(|product| message(product)).collect();
        Ok(Response::new(GetProductsResponse { products }))
    }
}

fn message(product: &domain::Product) -> Product {
    Product {
        sku: product.sku.to_string(),
        name: product.name.clone(),
        description: product.description.clone(),
        price: Some(Money {
            currency: product.price.currency.clone(),
            amount_minor: product.price.amount_minor,
        }),
    }
}

#[cfg(test)]
#[path = "grpc/tests.rs"]
mod tests;
