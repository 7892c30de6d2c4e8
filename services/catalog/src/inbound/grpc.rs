//! gRPC `mesh.catalog.v1.Catalog` → [`Products`].

use std::sync::Arc;

use chassis::{Error, grpc::Services};
use proto::{
    catalog::v1::{
        GetProductRequest, GetProductResponse, GetProductsRequest, GetProductsResponse,
        ListProductsRequest, ListProductsResponse,
        catalog_server::{self, CatalogServer},
    },
    limits,
};
use tonic::{Request, Response, Status};

use crate::{domain::Selection, products::Products};

/// The gRPC service `mesh.catalog.v1.Catalog`.
pub(crate) fn services(products: &Arc<Products>) -> Services {
    Services::new(proto::DESCRIPTORS, server(Grpc { products: Arc::clone(products) }))
}

fn server(grpc: Grpc) -> CatalogServer<Grpc> {
    CatalogServer::new(grpc).max_decoding_message_size(limits::REQUEST_BYTES)
}

pub(crate) struct Grpc {
    pub(crate) products: Arc<Products>,
}

#[tonic::async_trait]
impl catalog_server::Catalog for Grpc {
    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let selection = Selection::try_from(request.into_inner()).map_err(Error::from)?;
        let page = self.products.list(selection).await.map_err(Error::from)?;
        let products = page.products.iter().map(Into::into).collect();
        let next_page_token = page.next_token.clone();
        Ok(Response::new(ListProductsResponse { products, next_page_token }))
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<GetProductResponse>, Status> {
        let GetProductRequest { sku } = request.into_inner();
        let product = self.products.get(&sku).await.map_err(Error::from)?;
        Ok(Response::new(GetProductResponse { product: Some((&*product).into()) }))
    }

    async fn get_products(
        &self,
        request: Request<GetProductsRequest>,
    ) -> Result<Response<GetProductsResponse>, Status> {
        let GetProductsRequest { skus } = request.into_inner();
        let found = self.products.get_all(&skus).await.map_err(Error::from)?;
        let products = found.iter().map(|product| (&**product).into()).collect();
        Ok(Response::new(GetProductsResponse { products }))
    }
}

#[cfg(test)]
#[path = "grpc/tests.rs"]
mod tests;
