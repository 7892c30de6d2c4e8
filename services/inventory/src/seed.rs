//! The initial stock of a new shop.

use std::collections::BTreeMap;

use anyhow::Context;
use proto::values::Sku;

use crate::store::Store;

/// The file that contains the initial stock.
const STOCK: &str = include_str!("../stock.toml");

/// Adds the products that the database lacks; existing rows stay unchanged.
pub(crate) async fn fill(store: &Store) -> anyhow::Result<()> {
    let added = store.supply(&stock()?).await.context("add stock.toml to the database")?;
    if added > 0 {
        tracing::info!(products = added, "stock added");
    }
    Ok(())
}

/// The pieces of each product in the file.
fn stock() -> anyhow::Result<Vec<(Sku, i64)>> {
    let pieces: BTreeMap<Sku, i64> = toml::from_str(STOCK).context("read stock.toml")?;
    Ok(pieces.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    /// The two services are independent, so a new product has to be added to both files.
    #[test]
    fn the_products_of_the_catalogue_are_in_stock() {
        let products = include_str!("../../catalog/products.toml");
        let skus = products
            .lines()
            .filter_map(|line| line.strip_prefix("sku = "))
            .map(|sku| sku.trim_matches('"'));
        assert_eq!(
            stock().unwrap().iter().map(|(sku, _)| sku.as_str()).collect::<Vec<_>>(),
            skus.collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn stock_is_added_once_and_not_again_when_it_is_sold_out() {
        let (_folder, store) = store([("teapot", 0)]).await;
        for _ in 0..2 {
            fill(&store).await.unwrap();
        }
        let skus = ["teapot", "samovar", "lantern-brass", "compass"].map(String::from);
        let available = store.available(&skus).await.unwrap();
        assert_eq!(skus.map(|sku| available[&sku]), [0, 3, 0, 1_000_000]);
    }
}
