//! The table of products.

use chassis::database::{Database, Error};

use proto::values::{Money, Sku};

use crate::domain::{Product, Selection};

chassis::row! {
    struct ProductRow {
        sku: String,
        name: String,
        description: String,
        currency: String,
        amount_minor: i64,
    }
}

/// The products.
pub(crate) struct Store {
    database: Database,
}

impl Store {
    pub(crate) fn open(database: Database) -> Self {
        Self { database }
    }

    /// Adds the products that do not exist yet. Returns the number of products added.
    pub(crate) async fn add(&self, products: &[Product]) -> anyhow::Result<u64> {
        self.database.retry_while_unavailable(async || self.try_to_add(products).await).await
    }

    async fn try_to_add(&self, products: &[Product]) -> Result<u64, Error> {
        let mut added = 0;
        let mut tx = self.database.begin("add products").await?;
        for product in products {
            let sql = "insert into products (sku, name, description, currency, amount_minor, search) \
                       values ($1, $2, $3, $4, $5, $6) on conflict (sku) do nothing";
            let insert = tx
                .query(sql)
                .bind(product.sku.as_str())
                .bind(product.name.as_str())
                .bind(product.description.as_str())
                .bind(product.price.currency().as_str())
                .bind(product.price.amount_minor())
                .bind(product.searchable());
            added += insert.execute().await?;
        }
        tx.commit().await?;
        Ok(added)
    }

    pub(crate) async fn find(&self, sku: &Sku) -> Result<Option<Product>, Error> {
        let sql =
            "select sku, name, description, currency, amount_minor from products where sku = $1";
        let row = self.database.query("get product", sql).bind(sku.as_str()).optional().await?;
        Ok(row.map(|row: ProductRow| row.into()))
    }

    /// The products of a selection, ordered by SKU, as many as its limit allows.
    pub(crate) async fn list(&self, selection: &Selection) -> Result<Vec<Product>, Error> {
        // The list is passed as one JSON array: the statement is the same for any number of words.
        let sql = if self.database.is_postgres() {
            "select sku, name, description, currency, amount_minor from products where sku > $1 and not exists \
             (select 1 from json_array_elements_text(cast($2 as json)) word where strpos(search, word) = 0) \
             order by sku limit $3"
        } else {
            "select sku, name, description, currency, amount_minor from products where sku > $1 and not exists \
             (select 1 from json_each($2) word where instr(search, word.value) = 0) \
             order by sku limit $3"
        };
        let words = serde_json::to_string(selection.words());
        let query = self
            .database
            .query("list products", sql)
            .bind(selection.after())
            .bind(words.map_err(|error| Error::Encode(error.into()))?)
            .bind(i64::try_from(selection.limit()).unwrap_or(i64::MAX));
        Ok(query.all::<ProductRow>().await?.into_iter().map(Product::from).collect())
    }
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        Self {
            sku: Sku::stored(row.sku),
            name: row.name,
            description: row.description,
            price: Money::stored(row.currency, row.amount_minor),
        }
    }
}

#[cfg(test)]
#[path = "store/tests.rs"]
pub(crate) mod tests;
