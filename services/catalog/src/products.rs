//! Reading products: from the cache, else from the database.

use std::sync::Arc;

use chassis::{
    cache::{Cache, Caches},
    database,
};
use proto::values::Sku;

use crate::{
    config,
    domain::{Page, Product, Selection},
    error::Error,
    store::Store,
};

/// The products, with their caches.
pub(crate) struct Products {
    store: Store,
    /// Also caches that a product does not exist, since such products are requested repeatedly, too.
    products: Cache<Sku, Option<Arc<Product>>>,
    pages: Cache<Selection, Arc<Page>>,
}

impl Products {
    pub(crate) fn new(store: Store, config: &config::Cache, caches: &Caches) -> Self {
        Self {
            store,
            products: caches.cache("product", config.products, config.ttl),
            pages: caches.cache("page", config.pages, config.ttl),
        }
    }

    /// One product.
    pub(crate) async fn get(&self, sku: &str) -> Result<Arc<Product>, Error> {
        self.find(sku).await?.ok_or_else(|| Error::Unknown(sku.to_owned()))
    }

    /// The requested products that exist, in the order of the request.
    pub(crate) async fn get_all(&self, skus: &[String]) -> Result<Vec<Arc<Product>>, Error> {
        let mut found = Vec::with_capacity(skus.len());
        for sku in skus {
            found.extend(self.find(sku).await?);
        }
        Ok(found)
    }

    /// One page of a list or a search.
    pub(crate) async fn list(&self, selection: Selection) -> Result<Arc<Page>, Error> {
        let load = async {
            let found = self.store.list(&selection).await?;
            Ok::<_, database::Error>(Arc::new(selection.page(found)))
        };
        Ok(self.pages.get(selection.clone(), load).await?)
    }

    async fn find(&self, sku: &str) -> Result<Option<Arc<Product>>, Error> {
        let Ok(sku) = Sku::try_from(sku) else { return Ok(None) };
        let load = async { Ok::<_, database::Error>(self.store.find(&sku).await?.map(Arc::new)) };
        Ok(self.products.get(sku.clone(), load).await?)
    }
}

#[cfg(test)]
#[path = "products/tests.rs"]
pub(crate) mod tests;
