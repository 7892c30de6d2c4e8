//! The initial products of a new shop.

use anyhow::Context;
use proto::values::{Currency, Money, Sku};
use serde::Deserialize;

use crate::{domain::Product, store::Store};

/// The file that contains the initial products.
const PRODUCTS: &str = include_str!("../products.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shop {
    currency: Currency,
    product: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    sku: Sku,
    name: String,
    price_minor: i64,
    description: String,
}

/// Adds the products that the database lacks; existing rows stay unchanged.
pub(crate) async fn fill(store: &Store) -> anyhow::Result<()> {
    let added = store.add(&products()?).await.context("add products.toml to the database")?;
    if added > 0 {
        tracing::info!(products = added, "products added");
    }
    Ok(())
}

/// The products in the file.
pub(crate) fn products() -> anyhow::Result<Vec<Product>> {
    let shop: Shop = toml::from_str(PRODUCTS).context("read products.toml")?;
    let product = |entry: Entry| {
        let price = Money::new(shop.currency.clone(), entry.price_minor)?;
        Ok(Product { sku: entry.sku, name: entry.name, description: entry.description, price })
    };
    shop.product.into_iter().map(product).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    #[test]
    fn every_product_has_a_name_a_price_and_one_or_two_sentences() {
        let products = products().unwrap();
        assert!(products.len() >= 40);
        assert!(products.is_sorted_by(|one, next| one.sku < next.sku), "sorted, each SKU once");
        for product in &products {
            assert!(!product.name.is_empty() && product.price.amount_minor() > 0, "{product:?}");
            assert!(product.description.ends_with('.'), "{product:?}");
        }
    }

    #[tokio::test]
    async fn products_are_added_once_and_a_changed_price_is_kept() {
        let (_folder, store) = store().await;
        let mut teapot = products().unwrap().into_iter().find(|one| one.sku.as_str() == "teapot");
        let teapot = teapot.as_mut().unwrap();
        teapot.price = Money::new(teapot.price.currency().clone(), 1).unwrap();
        store.add(std::slice::from_ref(teapot)).await.unwrap();
        for _ in 0..2 {
            fill(&store).await.unwrap();
        }
        assert_eq!(store.find(&teapot.sku).await.unwrap().as_ref(), Some(&*teapot));
        assert_eq!(store.add(&products().unwrap()).await.unwrap(), 0);
    }
}
