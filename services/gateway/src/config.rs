//! The settings of `gateway`.

use std::{net::SocketAddr, time::Duration};

use axum::http::Uri;
use chassis::grpc::Endpoints;
use proto::values::CustomerId;
use serde::{Deserialize, Serialize};

/// The settings of `gateway`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The address to serve HTTP on.
    pub listen: SocketAddr,
    /// The addresses of `catalog`, which has the products.
    pub catalog: Endpoints,
    /// The addresses of `inventory`, which knows what is available.
    pub inventory: Endpoints,
    /// The addresses of `orders`.
    pub orders: Endpoints,
    /// The customer of every order: there is no login yet.
    pub customer: CustomerId,
    /// The URL of a trace, for people and programs, with `{trace_id}` in it.
    pub trace_url: TraceUrl,
    /// The servers whose pages the gateway proxies, so that a browser needs one address only.
    pub front_door: FrontDoor,
    /// The console, which is served at `/`.
    pub console: ConsoleFiles,
    /// How many live streams may be open; further ones are refused with 503.
    pub live_streams: usize,
    /// How many requests with telemetry of browsers are taken a second, from all browsers together; further ones are refused with
    /// 429. A page sends two every few seconds.
    pub browser_requests: u32,
    /// WebSockets at `/api/live`.
    pub websocket: WebSockets,
    /// How long a request may take, including every call made for it.
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            catalog: Endpoints::local(8101),
            inventory: Endpoints::local(8102),
            orders: Endpoints::local(8103),
            customer: CustomerId::stored("guest".into()),
            trace_url: TraceUrl("http://127.0.0.1:8087/api/traces/{trace_id}".into()),
            front_door: FrontDoor::default(),
            console: ConsoleFiles::default(),
            live_streams: 256,
            browser_requests: 20,
            websocket: WebSockets::default(),
            deadline: Duration::from_secs(5),
        }
    }
}

/// The files of the console.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConsoleFiles {
    /// A folder with the console's files, to work on them: they are read at each request. Empty: those in the program.
    pub folder: String,
}

/// WebSockets at `/api/live`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebSockets {
    /// How many may be open; further ones are closed at once with code 1013.
    pub connections: usize,
    /// How many subscriptions each may have; further ones are refused.
    pub subscriptions: usize,
    /// How many updates the gateway keeps, so that a client that comes back receives what it missed; some 500 bytes each.
    pub updates: usize,
    /// How long the gateway goes on to receive updates when no WebSocket is open, for a client that comes back.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// The interval of pings. A client that has sent nothing for two of them is closed with code 4001.
    #[serde(with = "humantime_serde")]
    pub ping: Duration,
    /// How long one may stay open without a subscription; it is then closed with code 4000.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
}

impl Default for WebSockets {
    fn default() -> Self {
        Self {
            connections: 128,
            subscriptions: 32,
            updates: 4096,
            grace: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            idle: Duration::from_secs(60),
        }
    }
}

/// Other servers whose pages the gateway proxies, each below its own path. Each server must be configured to run below that path.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FrontDoor {
    /// The server behind `/alertmanager/`.
    pub alertmanager: Upstream,
    /// The server behind `/grafana/`.
    pub grafana: Upstream,
    /// The server behind `/jaeger/`.
    pub jaeger: Upstream,
    /// The server behind `/lens/`.
    pub lens: Upstream,
    /// The server behind `/loki/`, for the log lines of the console's dashboards: only queries are passed on. Default: none; the
    /// log lines are those of lens.
    pub loki: Upstream,
    /// The server behind `/prometheus/`. Default: lens, which has Prometheus' API, if there is one.
    pub prometheus: Upstream,
}

/// Another server's base URL, as `http://grafana:3000`; empty if there is no such server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upstream(String);

impl Upstream {
    /// The base URL; `None` if it is empty.
    pub(crate) fn base(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(self.0.as_str())
    }
}

impl TryFrom<String> for Upstream {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = |uri: Uri| {
            uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none()
        };
        if text.is_empty() || text.parse().is_ok_and(fits) {
            return Ok(Self(text));
        }
        Err(format!("{text:?} is no base URL; expected http://host:port, or nothing"))
    }
}

impl From<Upstream> for String {
    fn from(upstream: Upstream) -> Self {
        upstream.0
    }
}

/// The URL under which a trace is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TraceUrl(String);

/// The placeholder for the trace id in a [`TraceUrl`].
const TRACE_ID: &str = "{trace_id}";

impl TraceUrl {
    pub(crate) fn of(&self, trace_id: &str) -> String {
        self.0.replace(TRACE_ID, trace_id)
    }
}

impl TryFrom<String> for TraceUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.contains(TRACE_ID) {
            return Ok(Self(text));
        }
        Err(format!("{text:?} is no URL of a trace; expected a URL with {TRACE_ID} in it"))
    }
}

impl From<TraceUrl> for String {
    fn from(url: TraceUrl) -> Self {
        url.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_trace_contains_its_id() {
        let url = TraceUrl::try_from("http://lens/trace/{trace_id}?x=1".to_owned()).unwrap();
        assert_eq!(url.of("4bf9"), "http://lens/trace/4bf9?x=1");
        assert!(TraceUrl::try_from("http://lens".to_owned()).unwrap_err().contains("{trace_id}"));
    }

    #[test]
    fn an_upstream_is_a_base_url_or_empty() {
        let read = |text: &str| Upstream::try_from(text.to_owned());
        assert_eq!(read("http://grafana:3000").unwrap().base(), Some("http://grafana:3000"));
        assert_eq!(read("").unwrap().base(), None);
        for bad in ["grafana:3000", "http://grafana:3000/grafana", "https://grafana", "http://"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
