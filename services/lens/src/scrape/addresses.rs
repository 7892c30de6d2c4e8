//! The addresses of a target: one process, or all pods behind a name.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use tokio::net::lookup_host;

/// The maximum of instances of a target: more would take the memory of the traces.
const MOST: usize = 16;

/// The addresses of a target, each with its URL. A name is looked up each time, because pods come and go. `localhost` is not
/// looked up, and no `https` URL, because its certificate is for the name.
///
/// # Errors
/// The name cannot be looked up.
pub(super) async fn of(url: &Url) -> Result<Vec<(String, Url)>, String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    if is_address || host == "localhost" || url.scheme() != "http" {
        return Ok(vec![(format!("{host}:{port}"), url.clone())]);
    }
    let found = lookup_host((host, port)).await;
    let found = found.map_err(|error| format!("cannot look up {host}: {error}"))?;
    let instances = instances(url, found.collect());
    if instances.is_empty() { Err(format!("{host} has no address")) } else { Ok(instances) }
}

/// Each address once, of one family only: a pod may have an address of each.
fn instances(url: &Url, mut addresses: Vec<SocketAddr>) -> Vec<(String, Url)> {
    addresses.sort();
    addresses.dedup();
    if addresses.iter().any(SocketAddr::is_ipv4) {
        addresses.retain(SocketAddr::is_ipv4);
    }
    let instance = |address: SocketAddr| {
        let mut url = url.clone();
        url.set_ip_host(address.ip()).ok()?;
        Some((address.to_string(), url))
    };
    addresses.into_iter().take(MOST).filter_map(instance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[tokio::test]
    async fn an_address_and_this_machine_stand_for_themselves() {
        for (text, instance) in [
            ("http://127.0.0.1:8090/metrics", "127.0.0.1:8090"),
            ("http://[::1]:8090/metrics", "[::1]:8090"),
            ("http://localhost:8090/metrics", "localhost:8090"),
            ("https://orders/metrics", "orders:443"),
        ] {
            assert_eq!(of(&url(text)).await.unwrap(), [(instance.to_owned(), url(text))]);
        }
        let error = of(&url("http://no-such-service.invalid:8081/metrics")).await.unwrap_err();
        assert!(error.contains("no-such-service.invalid"), "{error}");
    }

    #[test]
    fn every_pod_behind_a_name_is_asked_once() {
        let addresses = ["[fd00::2]:8081", "10.0.0.3:8081", "10.0.0.2:8081", "10.0.0.3:8081"];
        let addresses = addresses.map(|address| address.parse().unwrap()).to_vec();
        let found = instances(&url("http://orders:8081/metrics"), addresses);
        let expected = ["10.0.0.2:8081", "10.0.0.3:8081"];
        assert_eq!(
            found,
            expected.map(|address| (address.to_owned(), url(&format!("http://{address}/metrics"))))
        );
        let many = (0..100).map(|port| SocketAddr::from(([10, 0, 0, port], 8081))).collect();
        assert_eq!(instances(&url("http://orders:8081/metrics"), many).len(), MOST);
    }
}
