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
    let sku = Sku::parse(sku).unwrap();
    let price = Price { currency: "EUR".into(), amount_minor: 990 };
    Product { sku, name: name.into(), description: description.into(), price }
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
async fn a_product_is_found_as_it_was_added() {
    let (_folder, store) = shop().await;
    let mug = store.find(&Sku::parse("mug").unwrap()).await.unwrap();
    assert_eq!(mug, Some(product("mug", "Enamel mug", "White with a blue rim.")));
    assert_eq!(store.find(&Sku::parse("unicorn").unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_search_finds_words_in_name_sku_and_description_whatever_their_case() {
    let (_folder, store) = shop().await;
    assert_eq!(search(&store, "").await, ["mug", "pan-crepe", "teapot"]);
    assert_eq!(search(&store, "ENAMEL").await, ["mug", "teapot"]);
    assert_eq!(search(&store, "rim enamel").await, ["mug"]);
    assert_eq!(search(&store, "crêpe").await, ["pan-crepe"]);
    assert_eq!(search(&store, "pan-CREPE").await, ["pan-crepe"]);
    assert_eq!(search(&store, "enamel unicorn").await, [""; 0]);
}

#[tokio::test]
async fn signs_with_a_meaning_in_sql_or_json_have_none_in_a_search() {
    let (_folder, store) = shop().await;
    assert_eq!(search(&store, "%").await, ["pan-crepe"]);
    for query in ["_", "'", "\"", "\\", "['mug']"] {
        assert_eq!(search(&store, query).await, [""; 0], "{query}");
    }
}

#[tokio::test]
async fn a_page_begins_after_the_one_before() {
    let (_folder, store) = shop().await;
    let selection = Selection::parse(1, "", "").unwrap();
    let page = selection.page(store.list(&selection).await.unwrap());
    assert_eq!(page.products[0].sku.as_str(), "mug");
    let next = Selection::parse(1, &page.next_token, "").unwrap();
    assert_eq!(store.list(&next).await.unwrap()[0].sku.as_str(), "pan-crepe");
}
