//! Conversions between messages and domain types.

use proto::catalog::v1::{ListProductsRequest, Product as WireProduct};

use crate::{
    domain::{Product, Selection},
    error::Error,
};

impl TryFrom<ListProductsRequest> for Selection {
    type Error = Error;

    fn try_from(request: ListProductsRequest) -> Result<Self, Error> {
        Ok(Self::parse(request.page_size, &request.page_token, &request.query)?)
    }
}

impl From<&Product> for WireProduct {
    fn from(product: &Product) -> Self {
        Self {
            sku: product.sku.to_string(),
            name: product.name.clone(),
            description: product.description.clone(),
            price: Some(product.price.clone().into()),
        }
    }
}
