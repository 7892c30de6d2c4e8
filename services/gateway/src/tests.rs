//! Tests of the gateway: the real router behind the real edge; fakes play the other services over real gRPC. Every answer is
//! checked against the OpenAPI document.

mod contract;
mod document;
mod live;
mod news;
mod ordering;
mod pages;
mod peers;
mod products;
mod stage;
