//! Reading products.

use chassis::{Error, Kind};

use super::stage::Stage;

#[tokio::test]
async fn a_page_of_products_says_what_is_available() {
    let stage = Stage::new().await;
    let answer = stage.get("/api/products?limit=2&cursor=Y3Vw&q=tea%20pot").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["items"][1]["sku"], "teapot");
    assert_eq!(answer.body["items"][1]["available"], 7);
    assert_eq!(answer.body["items"][0]["available"], 0, "inventory has never heard of cups");
    assert_eq!(answer.body["items"][1]["price"]["amount_minor"], 1999);
    assert_eq!(answer.body["next_cursor"], "dGVhcG90");
    let searched = stage.peers.searched.lock();
    let asked =
        (searched[0].page_size, searched[0].page_token.as_str(), searched[0].query.as_str());
    assert_eq!(asked, (2, "Y3Vw", "tea pot"));
}

#[tokio::test]
async fn without_inventory_the_window_is_still_there() {
    let stage = Stage::new().await;
    stage.peers.refuse("get_availability", || Error::new(Kind::Unavailable, "away"));
    let answer = stage.get("/api/products").await;
    assert_eq!((answer.status.as_u16(), &answer.body["items"][1]["available"]), (200, &().into()));
    stage.peers.silence("get_availability");
    let answer = stage.get("/api/products/teapot").await;
    assert_eq!((answer.status.as_u16(), &answer.body["available"]), (200, &().into()));
    assert_eq!(stage.metric("mesh_gateway_products_without_stock_total"), 3.0);
}

#[tokio::test]
async fn without_the_catalogue_there_is_none() {
    let stage = Stage::new().await;
    stage.peers.refuse("list_products", || Error::new(Kind::Unavailable, "closed for stocktaking"));
    let answer = stage.get("/api/products").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.body["detail"], "catalog: closed for stocktaking");
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let stage = Stage::new().await;
    stage.peers.silence("list_products");
    let answer = stage.get("/api/products").await;
    assert_eq!((answer.status.as_u16(), &answer.body["title"]), (504, &"Deadline exceeded".into()));
}

#[tokio::test]
async fn a_product_that_is_not_there_is_named() {
    let answer = Stage::new().await.get("/api/products/unicorn").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.body["type"], "/problems/unknown-product");
    assert_eq!(answer.body["detail"], r#"no product "unicorn""#);
}

/// The gateway calls no service for it, and no answer repeats it.
#[tokio::test]
async fn what_cannot_be_a_sku_is_a_product_that_is_not_there() {
    let stage = Stage::new().await;
    for bad in ["tea%22pot", "Teapot", "%00", &"a".repeat(7000)] {
        let answer = stage.get(&format!("/api/products/{bad}")).await;
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert_eq!(answer.body["type"], "/problems/unknown-product");
        assert!(answer.text.len() < 500, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_query_that_is_none_is_told_whole() {
    let stage = Stage::new().await;
    let answer =
        stage.get(&format!("/api/products?limit=101&cursor={0}&q={0}", "x".repeat(513))).await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["limit", "cursor", "q"]));
    for bad in ["limit=0", "limit=-1", "limit=two", "limit=", "limit=1.5", "size=3"] {
        let answer = stage.get(&format!("/api/products?{bad}")).await;
        assert_eq!(answer.status, 422, "{bad}");
        assert_eq!(answer.fields(), [bad.split('=').next().unwrap()], "{}", answer.text);
    }
    assert_eq!(stage.get("/api/products?limit=1&limit=2").await.fields(), ["query"]);
    stage.peers.refuse("list_products", || {
        Error::new(Kind::Invalid, "bad request").field("page_token", "was never given out")
    });
    let answer = stage.get("/api/products?cursor=x").await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["cursor"]));
}

/// Whatever the path contains, the answer quotes only its beginning.
#[tokio::test]
async fn a_sku_of_any_length_and_kind_is_a_product_that_does_not_exist() {
    let stage = Stage::new().await;
    for sku in [
        "a".repeat(7000),
        "%F0%9F%AB%96".repeat(600),
        "%25".repeat(2000),
        "%22%5C%0A".repeat(800),
        "%E2%80%AE".repeat(60),
        "%00".to_owned(),
        "%FF%FE".to_owned(),
    ] {
        let answer = stage.get(&format!("/api/products/{sku}")).await;
        assert_eq!(answer.status.as_u16(), 404, "{sku}");
        assert_eq!(answer.body["type"], "/problems/unknown-product", "{sku}");
        assert!(answer.text.len() < 3000, "{} bytes for {sku}", answer.text.len());
    }
}

#[tokio::test]
async fn a_cursor_that_was_never_given_out_is_refused_in_the_words_of_this_api() {
    let stage = Stage::new().await;
    stage.peers.refuse("list", || {
        Error::new(Kind::Invalid, "page_token is wrong")
            .field("page_token", "is none of ours; expected next_page_token of the page before")
    });
    let answer = stage.get("/api/orders?cursor=abc").await;
    assert_eq!((answer.status.as_u16(), answer.fields()), (422, vec!["cursor"]));
    assert!(answer.text.contains("next_cursor") && !answer.text.contains("page_token"));
}
