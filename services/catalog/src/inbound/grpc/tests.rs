use catalog_server::Catalog;

use super::*;
use crate::products::tests::shop;

async fn served() -> (tempfile::TempDir, Grpc) {
    let (folder, products, _) = shop().await;
    (folder, Grpc { products })
}

#[tokio::test]
async fn a_product_has_its_price() {
    let (_folder, grpc) = served().await;
    let asked = Request::new(GetProductRequest { sku: "teapot".into() });
    let teapot = grpc.get_product(asked).await.unwrap().into_inner().product.unwrap();
    assert_eq!((teapot.sku.as_str(), teapot.name.as_str()), ("teapot", "Cast-iron teapot, 0.8 l"));
    assert_eq!(teapot.price, Some(Money { currency: "EUR".into(), amount_minor: 3995 }));
    let asked = Request::new(GetProductRequest { sku: "unicorn".into() });
    let refused = Error::from(grpc.get_product(asked).await.unwrap_err());
    assert_eq!((refused.kind(), refused.reason_word()), (Kind::NotFound, Some("UNKNOWN_PRODUCT")));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_by_field() {
    let (_folder, grpc) = served().await;
    let asked = ListProductsRequest { page_token: "teapot".into(), ..Default::default() };
    let refused = Error::from(grpc.list_products(Request::new(asked)).await.unwrap_err());
    assert_eq!((refused.kind(), refused.fields()[0].name.as_str()), (Kind::Invalid, "page_token"));
    let asked = GetProductsRequest { skus: vec!["teapot".into(); MOST_SKUS + 1] };
    let refused = Error::from(grpc.get_products(Request::new(asked)).await.unwrap_err());
    assert_eq!((refused.kind(), refused.fields()[0].name.as_str()), (Kind::Invalid, "skus"));
}
