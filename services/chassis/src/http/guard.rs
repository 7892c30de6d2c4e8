//! Which host names an HTTP port answers to, and which web pages may change something through it.
//!
//! A web page in a browser on this machine can send requests to every port that the browser reaches. Two checks limit this. The
//! name in `Host` must be one of ours, since a foreign name that resolves to our address is DNS rebinding. And a request from a
//! foreign page (`Origin`, `Sec-Fetch-Site`) may read, since the browser hides the answer from the page, but it may neither
//! change anything nor cause high cost. Clients other than browsers send neither header, and are subject to the first check
//! only.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, uri::Authority};
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::text::printable;

/// The host names of the HTTP ports, and the web pages that may use them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GuardSettings {
    /// Host names of the HTTP ports, separated by commas, in addition to IP addresses, `localhost`, the machine's and the
    /// service's own name and `….svc`; e.g. `shop.example.com`; `.example.com` means every name below it.
    pub hosts: String,
    /// Origins of other web pages that may use the HTTP ports, separated by commas, e.g. `https://admin.example.com`.
    pub origins: String,
}

/// The checks in front of an HTTP server; cheap to clone.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    names: Vec<String>,
    suffixes: Vec<String>,
    origins: Vec<String>,
    costly: Vec<&'static str>,
}

/// Suffixes that no public name has: the first is this machine (RFC 6761), the others are services of a cluster.
const SUFFIXES: [&str; 3] = [".localhost", ".svc", ".svc.cluster.local"];

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The most characters of a foreign name that a problem document repeats.
const SHOWN: usize = 100;

impl Guard {
    /// The guard of the service with this name.
    pub fn new(service: &str, settings: &GuardSettings) -> Self {
        let (suffixes, mut names): (Vec<_>, Vec<_>) =
            list(&settings.hosts).partition(|name| name.starts_with('.'));
        names.extend(["localhost".into(), service.to_lowercase()]);
        names.extend(machine());
        let suffixes = suffixes.into_iter().chain(SUFFIXES.map(str::to_owned)).collect();
        let origins = list(&settings.origins).collect();
        Self(Arc::new(Rules { names, suffixes, origins, costly: Vec::new() }))
    }

    /// Sets the paths of costly requests, which a foreign page may not even read.
    #[must_use]
    pub fn costly(self, paths: &[&'static str]) -> Self {
        let Rules { names, suffixes, origins, .. } = &*self.0;
        let (names, suffixes, origins) = (names.clone(), suffixes.clone(), origins.clone());
        Self(Arc::new(Rules { names, suffixes, origins, costly: paths.to_vec() }))
    }

    /// The router behind the checks.
    pub fn around(self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self, checked))
    }

    /// Whether pages of any other origin may use the port.
    pub(super) fn knows_origins(&self) -> bool {
        !self.0.origins.is_empty()
    }

    /// Whether pages of this other origin may use the port.
    pub(super) fn may_use(&self, origin: &http::HeaderValue) -> bool {
        let origin = origin.to_str().unwrap_or_default().to_lowercase();
        self.0.origins.contains(&origin)
    }

    /// Checks whether the request is allowed.
    ///
    /// # Errors
    /// 400 if the request names no host or several, 421 if it names a host that is not ours, 403 if a foreign page wants to
    /// change something or sends a costly request.
    pub fn check(&self, request: &http::request::Parts) -> Result<(), Box<Problem>> {
        self.check_host(&request.uri, &request.headers, request.version)?;
        if self.is_effective(request) { self.check_origin(request) } else { Ok(()) }
    }

    /// Checks a costly request, whose path [`Guard::costly`] cannot name because it has parameters.
    ///
    /// # Errors
    /// As [`Guard::check`].
    pub fn check_costly(&self, request: &http::request::Parts) -> Result<(), Box<Problem>> {
        self.check_host(&request.uri, &request.headers, request.version)?;
        self.check_origin(request)
    }

    fn check_origin(&self, request: &http::request::Parts) -> Result<(), Box<Problem>> {
        if self.is_foreign(&request.headers) {
            let detail =
                "a web page of another origin may not do this; `http.origins` names those that may";
            return Err(Box::new(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail)));
        }
        Ok(())
    }

    fn check_host(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        version: http::Version,
    ) -> Result<(), Box<Problem>> {
        let named: Vec<_> = headers.get_all(header::HOST).iter().collect();
        // HTTP/2 has `:authority` instead, HTTP/1.0 needs neither.
        let may_lack = uri.authority().is_some() || version < http::Version::HTTP_11;
        if named.len() > 1 || (named.is_empty() && !may_lack) {
            let detail = format!("there are {} Host headers; expected one", named.len());
            return Err(Box::new(Problem::new(StatusCode::BAD_REQUEST, "bad-host", detail)));
        }
        let asked = named.iter().map(|value| value.to_str().unwrap_or_default());
        for authority in asked.chain(uri.authority().map(Authority::as_str)) {
            if !host(authority).is_some_and(|host| self.is_ours(&host)) {
                let shown = printable(authority, SHOWN);
                let detail =
                    format!("{shown:?} is no name of this server; `http.hosts` adds names");
                return Err(Box::new(Problem::new(
                    StatusCode::MISDIRECTED_REQUEST,
                    "foreign-host",
                    detail,
                )));
            }
        }
        Ok(())
    }

    /// An IP address is always ours: after DNS rebinding, the page's requests have its name in `Host`, never an address.
    fn is_ours(&self, host: &str) -> bool {
        address(host).is_some()
            || self.0.names.iter().any(|name| name == host)
            || self
                .0
                .suffixes
                .iter()
                .any(|suffix| host.len() > suffix.len() && host.ends_with(suffix))
    }

    /// Whether the request changes something, is costly, or opens a WebSocket, which browsers do not restrict to the same
    /// origin.
    fn is_effective(&self, request: &http::request::Parts) -> bool {
        !matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS)
            || request.headers.contains_key(header::UPGRADE)
            || self.0.costly.contains(&request.uri.path())
    }

    /// Whether the request was made by a web page of another origin.
    fn is_foreign(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            // Requests for links, images and frames have no `Origin`, but `Sec-Fetch-Site`.
            let site = headers.get(FETCH_SITE).map(http::HeaderValue::as_bytes);
            return site.is_some_and(|site| !matches!(site, b"same-origin" | b"none"));
        };
        let origin = origin.to_str().unwrap_or_default().to_lowercase();
        if self.0.origins.contains(&origin) {
            return false;
        }
        let own = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        !own.is_some_and(|own| is_same(&origin, own))
    }
}

async fn checked(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match guard.check(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

/// An origin consists of scheme, host and port. A proxy that terminates TLS changes the scheme of the request, so only host and
/// port are compared: <https://www.rfc-editor.org/rfc/rfc6454#section-5>
fn is_same(origin: &str, own: &str) -> bool {
    let (scheme, default) = match origin.split_once("://") {
        Some(("http", authority)) => (authority, 80),
        Some(("https", authority)) => (authority, 443),
        _ => return false,
    };
    let parts = |authority: &str| {
        let port = Authority::try_from(authority).ok()?.port_u16().unwrap_or(default);
        Some((host(authority)?, port))
    };
    matches!((parts(scheme), parts(own)), (Some(one), Some(other)) if one == other)
}

/// The host of `host:port`, in lower case and without the final dot.
fn host(authority: &str) -> Option<String> {
    let parsed = Authority::try_from(authority).ok().filter(|_| !authority.contains('@'))?;
    let host = parsed.host().to_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    (!host.is_empty()).then(|| host.to_owned())
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

fn list(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty())
}

/// The machine's name, which is the pod's name in a cluster; `None` if the system does not have the file.
fn machine() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_lowercase()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let settings = GuardSettings {
            hosts: "shop.example.com, .internal.example".into(),
            origins: "https://admin.example.com".into(),
        };
        Guard::new("teapot", &settings).costly(&["/costly"])
    }

    fn status(method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        guard().check(&parts).map_or_else(|problem| problem.status, |()| 200)
    }

    #[test]
    fn a_name_that_is_not_ours_is_refused_and_an_address_is_not() {
        let ours = [
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.1.2.3",
            "localhost:1",
            "LOCALHOST",
            "a.localhost",
            "teapot:9",
            "teapot.shop.svc:80",
            "teapot.shop.svc.cluster.local",
            "shop.example.com",
            "shop.example.com.",
            "a.internal.example",
        ];
        for host in ours {
            assert_eq!(status("GET", "/", &[("host", host)]), 200, "{host}");
        }
        let foreign = [
            "evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "teapot.evil.example",
            "svc",
            ".svc",
            "internal.example",
            "user@localhost",
            "",
            "localhost, evil.example",
            "1.2.3.4.5",
        ];
        for host in foreign {
            assert_eq!(status("GET", "/", &[("host", host)]), 421, "{host}");
        }
        assert_eq!(status("GET", "http://evil.example/", &[("host", "localhost")]), 421);
        assert_eq!(status("GET", "/", &[]), 400);
        assert_eq!(status("GET", "/", &[("host", "localhost"), ("host", "localhost")]), 400);
    }

    #[test]
    fn a_foreign_page_may_neither_change_anything_nor_cost_anything() {
        let host = ("host", "localhost:8080");
        let from = |method, path, origin| status(method, path, &[host, ("origin", origin)]);
        for origin in
            ["http://localhost:8080", "https://admin.example.com", "HTTP://LOCALHOST:8080"]
        {
            assert_eq!(from("PUT", "/log-level", origin), 200, "{origin}");
            assert_eq!(from("GET", "/costly", origin), 200, "{origin}");
        }
        let foreign = [
            "http://evil.example",
            "null",
            "http://localhost:8081",
            "http://localhost",
            "https://localhost",
            "",
        ];
        for origin in foreign {
            assert_eq!(from("PUT", "/log-level", origin), 403, "{origin}");
            assert_eq!(from("DELETE", "/x", origin), 403, "{origin}");
            assert_eq!(from("GET", "/costly", origin), 403, "{origin}");
            assert_eq!(from("GET", "/cheap", origin), 200, "{origin}");
        }
        let stream = [host, ("origin", "http://evil.example"), ("upgrade", "websocket")];
        assert_eq!(status("GET", "/live", &stream), 403);
    }

    #[test]
    fn a_request_without_an_origin_is_judged_by_what_the_browser_says_of_its_site() {
        let host = ("host", "localhost:8080");
        for (site, expected) in
            [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
        {
            assert_eq!(status("GET", "/costly", &[host, ("sec-fetch-site", site)]), expected);
        }
        assert_eq!(status("GET", "/", &[host, ("sec-fetch-site", "cross-site")]), 200);
        assert_eq!(status("PUT", "/log-level", &[host]), 200);
    }

    #[test]
    fn behind_a_proxy_that_ends_tls_the_page_is_still_our_own() {
        let own = [("host", "shop.example.com"), ("origin", "https://shop.example.com")];
        assert_eq!(status("POST", "/api/orders", &own), 200);
    }
}
