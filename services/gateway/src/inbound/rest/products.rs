//! `/api/products`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use chassis::http::{Json, Path, Problem, Query};

use super::{
    AppState,
    problems::{refusals, refused},
};
use crate::{
    requests::ProductQuery,
    resources::{Product, ProductPage},
};

refusals!(ListRefusals: BAD_QUERY);

/// List products
///
/// A page of products in the order of their SKU, each with the quantity that is available. If inventory does not answer in time,
/// `available` is null.
#[utoipa::path(
    get, path = "/api/products", tag = "products", operation_id = "listProducts",
    params(ProductQuery),
    responses((status = 200, description = "A page of products.", body = ProductPage), ListRefusals),
)]
pub(super) async fn list(
    State(state): State<Arc<AppState>>,
    Query(query): Query<ProductQuery>,
) -> Result<Json<ProductPage>, Problem> {
    state.products.list(query).await.map(Json).map_err(refused)
}

refusals!(GetRefusals: NO_PRODUCT);

/// Read a product
///
/// If inventory does not answer in time, `available` is null.
#[utoipa::path(
    get, path = "/api/products/{sku}", tag = "products", operation_id = "getProduct",
    params(("sku" = String, Path, description = "The product's SKU.", example = "teapot")),
    responses((status = 200, description = "The product.", body = Product), GetRefusals),
)]
pub(super) async fn get(
    State(state): State<Arc<AppState>>,
    sku: Result<Path<String>, Problem>,
) -> Result<Json<Product>, Problem> {
    let not_utf8 = |_| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-product",
            "no such product: the SKU is not UTF-8",
        )
    };
    let Path(sku) = sku.map_err(not_utf8)?;
    state.products.get(&sku).await.map(Json).map_err(refused)
}
