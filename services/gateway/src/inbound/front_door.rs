//! One front door: the pages of others, each below a path of ours.

use axum::Router;
use chassis::http::Proxy;

use crate::config::FrontDoor;

/// Something that is served from here but is somewhere else.
pub(crate) struct Door<'a> {
    pub(crate) path: &'static str,
    /// What it is good for, in a few words.
    pub(crate) purpose: &'static str,
    base: &'a str,
}

/// Those that there are, in the order in which they are of use.
pub(crate) fn doors(config: &FrontDoor) -> Vec<Door<'_>> {
    let all = [
        ("/grafana", "dashboards, alerts, logs", &config.grafana),
        ("/jaeger", "traces", &config.jaeger),
        ("/prometheus", "metrics, rules, targets", &config.prometheus),
        ("/alertmanager", "alerts that were sent", &config.alertmanager),
        ("/lens", "who talks to whom, recent orders, log lines", &config.lens),
    ];
    let there = all.into_iter().filter_map(|(path, purpose, upstream)| {
        Some(Door { path, purpose, base: upstream.base()? })
    });
    there.collect()
}

/// What is below them: no request of the shop's.
pub(crate) fn passed_on(config: &FrontDoor) -> Vec<String> {
    doors(config).iter().map(|door| format!("{}/", door.path)).collect()
}

/// The routes of those that there are.
pub(crate) fn router(config: &FrontDoor) -> anyhow::Result<Router> {
    doors(config).into_iter().try_fold(Router::new(), |router, door| {
        Ok(router.merge(Proxy::new(door.base)?.router(door.path)))
    })
}
