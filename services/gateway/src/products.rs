//! Products with their availability: the answers of two services in one.

use std::collections::HashMap;

use chassis::{Error, Kind};
use proto::limits::SKU;

use crate::{
    metrics::Metrics,
    outbound::{Catalog, Inventory},
    requests::ProductQuery,
    resources::{Product, ProductPage},
};

/// Reads the products.
pub(crate) struct Products {
    catalog: Catalog,
    inventory: Inventory,
    metrics: Metrics,
}

impl Products {
    pub(crate) fn new(catalog: Catalog, inventory: Inventory, metrics: Metrics) -> Self {
        Self { catalog, inventory, metrics }
    }

    pub(crate) async fn list(&self, query: ProductQuery) -> Result<ProductPage, Error> {
        let mut page = self.catalog.list(query).await?;
        if !page.items.is_empty() {
            let skus = page.items.iter().map(|product| product.sku.clone()).collect();
            let available = self.inventory.availability(skus).await;
            self.set_available(page.items.iter_mut(), available);
        }
        Ok(page)
    }

    pub(crate) async fn get(&self, sku: &str) -> Result<Product, Error> {
        // A text that cannot be a SKU causes no call, and the answer does not repeat it.
        if let Some(complaint) = SKU.complaint(sku) {
            return Err(unknown(format!("no such product: the SKU {complaint}")));
        }
        let (product, available) =
            tokio::join!(self.catalog.get(sku), self.inventory.availability(vec![sku.to_owned()]));
        let mut product = product.map_err(|error| not_found(error, sku))?;
        self.set_available(std::iter::once(&mut product), available);
        Ok(product)
    }

    /// Without inventory, products are shown without their availability: that is better than an error.
    fn set_available<'a>(
        &self,
        products: impl Iterator<Item = &'a mut Product>,
        available: Result<HashMap<String, i64>, Error>,
    ) {
        match available {
            Ok(available) => {
                for product in products {
                    // A product that inventory does not know cannot be sold.
                    product.available = Some(available.get(&product.sku).copied().unwrap_or(0));
                }
            }
            Err(error) => {
                let count = products.count();
                self.metrics.products_without_stock_total.inc_by(count as u64);
                tracing::warn!(%error, products = count, "products are shown without their availability");
            }
        }
    }
}

fn not_found(error: Error, sku: &str) -> Error {
    match error.kind() {
        Kind::NotFound => unknown(format!("no product {sku:?}")),
        _ => error,
    }
}

fn unknown(text: String) -> Error {
    Error::new(Kind::NotFound, text).reason("UNKNOWN_PRODUCT")
}
