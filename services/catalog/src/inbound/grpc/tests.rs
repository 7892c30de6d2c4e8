use catalog_server::Catalog;
use chassis::Kind;
use proto::{catalog::v1::catalog_client::CatalogClient, types::v1::Money};

use super::*;
use crate::products::tests::shop;

async fn served() -> (tempfile::TempDir, Grpc) {
    let (folder, products, _) = shop().await;
    (folder, Grpc { products: Arc::new(products) })
}

#[tokio::test]
async fn a_product_is_returned_with_its_price_and_an_unknown_one_is_not_found() {
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
async fn an_invalid_request_is_refused_with_the_name_of_its_field() {
    let (_folder, grpc) = served().await;
    let asked = ListProductsRequest { page_token: "teapot".into(), ..Default::default() };
    let refused = Error::from(grpc.list_products(Request::new(asked)).await.unwrap_err());
    assert_eq!((refused.kind(), refused.fields()[0].name.as_str()), (Kind::Invalid, "page_token"));
}

#[tokio::test]
async fn a_request_beyond_the_limits_is_refused_before_it_is_handled() {
    let (_folder, grpc) = served().await;
    let mut client = CatalogClient::new(server(grpc));
    let asked = GetProductsRequest { skus: vec!["teapot".into(); 101] };
    let refused = Error::from(client.get_products(asked).await.unwrap_err());
    assert_eq!((refused.kind(), &*refused.fields()[0].name), (Kind::Invalid, "skus"));
    let asked = GetProductRequest { sku: "a".repeat(7000) };
    let refused = Error::from(client.get_product(asked).await.unwrap_err());
    assert_eq!(refused.fields()[0].message, "has 7000 bytes; expected 1 to 64 of a-z, 0-9 and -");
    let asked = GetProductsRequest { skus: vec!["teapot".into(); 10_000] };
    assert_eq!(client.get_products(asked).await.unwrap_err().code(), tonic::Code::OutOfRange);
}
