//! Tests of the gateway: the real router behind the real edge; fakes play the other services over real gRPC. Every answer is
//! checked against the OpenAPI document.

mod asyncapi;
mod contract;
mod gateway;
mod live;
mod openapi;
mod orders;
mod otlp;
mod pages;
mod peers;
mod products;
mod sockets;
mod updates;
