//! Stories at the front door: the real router behind the real edge, the services behind it played by fakes over real gRPC.
//! Every answer is held to the OpenAPI document.

mod contract;
mod document;
mod live;
mod news;
mod ordering;
mod pages;
mod peers;
mod products;
mod stage;
