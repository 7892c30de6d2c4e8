//! REST: routes and their documentation are declared together, handler by handler.

mod asyncapi;
mod live;
mod openapi;
mod orders;
mod otlp;
mod pages;
mod problems;
mod products;
mod socket;

use std::{convert::Infallible, sync::Arc};

use axum::{Router, extract::FromRequestParts, http::request::Parts};
use chassis::http::{Known, Options, Requests};
use proto::values::CustomerId;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    browser::Browser,
    config::{FrontDoor, TraceUrl},
    console::Console,
    inbound::front_door,
    live::Live,
    metrics::Metrics,
    outbound::Orders,
    products::Products,
};
pub(crate) use socket::Sockets;
#[cfg(test)]
pub(crate) use socket::{ClientMessage, ServerMessage};

/// What the handlers use.
pub(crate) struct AppState {
    pub(crate) products: Products,
    pub(crate) orders: Orders,
    pub(crate) live: Live,
    pub(crate) browser: Browser,
    pub(crate) sockets: Sockets,
    pub(crate) customer: CustomerId,
    pub(crate) trace_url: TraceUrl,
    pub(crate) front_door: FrontDoor,
    pub(crate) console: Console,
    pub(crate) metrics: Metrics,
}

/// Below this path, the console sends its telemetry.
const OTLP: &str = "/api/otlp/";
/// Below this path are the files of the console.
const ASSETS: &str = "/assets/";

/// How the gateway serves its requests: those of an open console are no load of the mesh, and when so many orders are waiting
/// that further ones are refused, the console still opens and shows it.
pub(crate) fn options(front_door: &FrontDoor) -> Options {
    let page = [Requests::at("/"), Requests::at("/console.json"), Requests::below(ASSETS)];
    let page_and = |more: &[Requests]| [&page[..], more].concat();
    Options {
        // Each span would cause another.
        untraced: page_and(&[Requests::below(OTLP)]),
        unmeasured: vec![Requests::below(ASSETS), Requests::below(OTLP)],
        // WebSockets and telemetry have limits of their own.
        reserved: page_and(&[Requests::at("/api/live"), Requests::below(OTLP)]),
        passed_on: front_door::passed_on(front_door),
        answers: answers(),
        ..Options::default()
    }
}

/// All routes that the gateway serves.
pub(crate) fn router(state: AppState) -> anyhow::Result<Router> {
    let (router, document) = api().split_for_parts();
    let document = openapi::serialized(&document)?;
    let pages = pages::router(&state.front_door, state.console.clone());
    let others = front_door::router(&state.front_door)?;
    let messages = asyncapi::serialized()?;
    Ok(router
        .with_state(Arc::new(state))
        .layer(document)
        .layer(messages)
        .merge(pages)
        .merge(others))
}

/// Every answer that the OpenAPI document describes and the metrics count.
fn answers() -> Vec<Known> {
    let document = api().into_openapi();
    let mut answers = Vec::new();
    let measured = document.paths.paths.iter().filter(|(route, _)| !route.starts_with(OTLP));
    for (route, item) in measured {
        let operations = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("DELETE", &item.delete),
        ];
        for (method, operation) in operations {
            let statuses = operation.iter().flat_map(|one| one.responses.responses.keys());
            answers.extend(statuses.filter_map(|status| {
                Some(Known { method, route: route.clone(), status: status.parse().ok()? })
            }));
        }
    }
    answers
}

/// The routes that the OpenAPI document describes.
fn api() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(products::list))
        .routes(routes!(products::get))
        .routes(routes!(orders::place, orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::cancel))
        .routes(routes!(live::follow))
        .routes(routes!(otlp::traces))
        .routes(routes!(otlp::logs))
        .routes(routes!(socket::connect))
        .routes(routes!(openapi::get))
        .routes(routes!(asyncapi::get))
}

/// The customer of a request. There is no login: all requests have the same customer.
struct Customer(CustomerId);

impl FromRequestParts<Arc<AppState>> for Customer {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &Arc<AppState>) -> Result<Self, Infallible> {
        Ok(Self(state.customer.clone()))
    }
}
