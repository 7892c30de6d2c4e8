use chassis::{database::Config, metrics::Registry};

use super::*;

pub(crate) async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("catalog.db").display());
    let config = Config { url: url.into(), ..Config::local("catalog") };
    let migrations = chassis::migrations!["0001_products"];
    (
        folder,
        Store::open(
            Database::connect(
                &config,
                &[chassis::events::MIGRATIONS, migrations],
                &Registry::new(),
            )
            .await
            .unwrap(),
        ),
    )
}

fn product(sku: &str, name: &str, description: &str) -> Product {
    let (name, description) = (name.into(), description.into());
    Product {
        sku: sku.try_into().unwrap(),
        name,
        description,
        price: Money::stored("EUR".into(), 990),
    }
}

async fn shop() -> (tempfile::TempDir, Store) {
    let (folder, store) = store().await;
    let products = [
        product("mug", "Enamel mug", "White with a blue rim."),
        product("pan-crepe", "CRÊPE pan", "100 % steel."),
        product("teapot", "Teapot", "Enamelled inside."),
    ];
    assert_eq!(store.add(&products).await.unwrap(), 3);
    (folder, store)
}

async fn search(store: &Store, query: &str) -> Vec<String> {
    let found = store.list(&Selection::parse(0, "", query).unwrap()).await.unwrap();
    found.into_iter().map(|product| product.sku.to_string()).collect()
}

#[tokio::test]
async fn an_added_product_is_found_unchanged() {
    let (_folder, store) = shop().await;
    let mug = store.find(&"mug".try_into().unwrap()).await.unwrap();
    assert_eq!(mug, Some(product("mug", "Enamel mug", "White with a blue rim.")));
    assert_eq!(store.find(&"unicorn".try_into().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_search_finds_words_in_name_sku_and_description_in_any_case() {
    let (_folder, store) = shop().await;
    assert_eq!(search(&store, "").await, ["mug", "pan-crepe", "teapot"]);
    assert_eq!(search(&store, "ENAMEL").await, ["mug", "teapot"]);
    assert_eq!(search(&store, "rim enamel").await, ["mug"]);
    assert_eq!(search(&store, "crêpe").await, ["pan-crepe"]);
    assert_eq!(search(&store, "pan-CREPE").await, ["pan-crepe"]);
    assert_eq!(search(&store, "enamel unicorn").await, [""; 0]);
}

#[tokio::test]
async fn characters_with_a_meaning_in_sql_or_json_are_searched_literally() {
    let (_folder, store) = shop().await;
    assert_eq!(search(&store, "%").await, ["pan-crepe"]);
    for query in ["_", "'", "\"", "\\", "['mug']"] {
        assert_eq!(search(&store, query).await, [""; 0], "{query}");
    }
}

#[tokio::test]
async fn a_page_begins_after_the_previous_one() {
    let (_folder, store) = shop().await;
    let selection = Selection::parse(1, "", "").unwrap();
    let page = selection.page(store.list(&selection).await.unwrap());
    assert_eq!(page.products[0].sku.as_str(), "mug");
    let next = Selection::parse(1, &page.next_token, "").unwrap();
    assert_eq!(store.list(&next).await.unwrap()[0].sku.as_str(), "pan-crepe");
}
