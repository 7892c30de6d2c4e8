-- One row a product. `search` is what a search looks at: name, SKU and description in lower case.
-- The collation makes the order of the pages the same on every server: that of the bytes.
create table products (
    sku          text collate "C" primary key,
    name         text   not null,
    description  text   not null,
    currency     text   not null,
    amount_minor bigint not null,
    search       text   not null
);
