-- One row a product. `search` is what a search looks at: name, SKU and description in lower case.
create table products (
    sku          text primary key,
    name         text   not null,
    description  text   not null,
    currency     text   not null,
    amount_minor bigint not null,
    search       text   not null
);
