use chassis::{Kind, metrics::Registry};

use super::*;
use crate::{seed, store::tests::store};

pub(crate) async fn shop() -> (tempfile::TempDir, Products, Registry) {
    let (folder, store) = store().await;
    seed::fill(&store).await.unwrap();
    let registry = Registry::new();
    let caches = Caches::for_tests(&registry).unwrap();
    (folder, Products::new(store, &config::Cache::default(), &caches), registry)
}

fn counted(registry: &Registry, outcome: &str, count: u64) -> bool {
    let line =
        format!("mesh_cache_operations_total{{cache=\"product\",outcome=\"{outcome}\"}} {count}");
    registry.text().lines().any(|counted| counted == line)
}

#[tokio::test]
async fn a_product_is_read_from_the_database_once() {
    let (_folder, products, registry) = shop().await;
    for _ in 0..3 {
        assert_eq!(products.get("teapot").await.unwrap().name, "Cast-iron teapot, 0.8 l");
    }
    assert!(counted(&registry, "miss", 1));
    assert!(counted(&registry, "hit", 2));
}

#[tokio::test]
async fn an_unknown_product_is_not_found_and_cached_as_unknown() {
    let (_folder, products, registry) = shop().await;
    for _ in 0..2 {
        let error = chassis::Error::from(products.get("unicorn").await.unwrap_err());
        assert_eq!((error.kind(), error.message()), (Kind::NotFound, "no product \"unicorn\""));
    }
    assert!(counted(&registry, "miss", 1));
    assert!(matches!(products.get("not a sku").await, Err(Error::Unknown(_))));
}

#[tokio::test]
async fn the_products_that_exist_are_returned_in_the_order_of_the_request() {
    let (_folder, products, _) = shop().await;
    let asked = ["teapot", "unicorn", "compass", ""].map(String::from);
    let found = products.get_all(&asked).await.unwrap();
    let skus: Vec<_> = found.iter().map(|product| product.sku.as_str()).collect();
    assert_eq!(skus, ["teapot", "compass"]);
}

#[tokio::test]
async fn all_pages_together_contain_every_product() {
    let (_folder, products, _) = shop().await;
    let (mut skus, mut token) = (Vec::new(), String::new());
    loop {
        let page = products.list(Selection::parse(7, &token, "").unwrap()).await.unwrap();
        skus.extend(page.products.iter().map(|product| product.sku.clone()));
        token.clone_from(&page.next_token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(skus.len(), seed::products().unwrap().len());
    assert!(skus.is_sorted(), "{skus:?}");
}
