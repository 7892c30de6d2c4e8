//! `/api/products`

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use chassis::http::{Json, Path, Problem, Query};

use super::{
    Shop,
    query::ProductQuery,
    refusals::{invalid, refusals, refused},
};
use crate::resources::{Product, ProductPage};

refusals!(ListRefusals: BAD_QUERY);

/// List products
///
/// Products in the order of their SKU, a page at a time, with what is available of each. If inventory does not answer in time,
/// `available` is null and the rest is as ever.
#[utoipa::path(
    get, path = "/api/products", tag = "products", operation_id = "listProducts",
    params(ProductQuery),
    responses((status = 200, description = "A page of products.", body = ProductPage), ListRefusals),
)]
pub(super) async fn list(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<ProductQuery>,
) -> Result<Json<ProductPage>, Problem> {
    let checked = query
        .check()
        .map_err(|mistakes| invalid("the query is not what is expected here", mistakes));
    let (page, words) = checked?;
    shop.products.list(page, words).await.map(Json).map_err(refused)
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
    State(shop): State<Arc<Shop>>,
    sku: Result<Path<String>, Problem>,
) -> Result<Json<Product>, Problem> {
    let no_text = |_| {
        Problem::new(StatusCode::NOT_FOUND, "unknown-product", "no SKU is like this: it is no text")
    };
    let Path(sku) = sku.map_err(no_text)?;
    shop.products.get(&sku).await.map(Json).map_err(refused)
}
