//! Parses addresses on the command line: a wrong one is reported at once, with the expected form.

use reqwest::Url;

/// The address of an HTTP or gRPC server, without a trailing slash.
pub(crate) fn http(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    match url {
        Some(url) if url.has_host() => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("expected http://host:port".into()),
    }
}

/// The address of a NATS server, or of several, separated by commas.
pub(crate) fn nats(text: &str) -> Result<String, String> {
    let is_server = |url: &str| {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "nats" | "tls"));
        url.is_some_and(|url| url.has_host())
    };
    if text.split(',').all(is_server) {
        return Ok(text.to_owned());
    }
    Err("expected nats://host:port".into())
}

/// The addresses of Kafka brokers, separated by commas.
pub(crate) fn brokers(text: &str) -> Result<String, String> {
    let is_broker = |broker: &str| {
        let (host, port) = broker.rsplit_once(':')?;
        let is_host = !host.is_empty() && !host.contains(['/', ' ']);
        Some(is_host && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    if text.split(',').all(|broker| is_broker(broker.trim()) == Some(true)) {
        return Ok(text.to_owned());
    }
    Err("expected host:port, several with commas between".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_with_what_is_expected() {
        assert_eq!(http("http://localhost:8080/").as_deref(), Ok("http://localhost:8080"));
        assert!(http("https://shop.local").is_ok() && http("http://[::1]:8080").is_ok());
        for bad in ["", "foo", "localhost:8080", "http://", "ftp://x", "nats://x:1"] {
            assert!(http(bad).unwrap_err().contains("http://host:port"), "{bad}");
        }
        assert!(nats("nats://a:4222,tls://b").is_ok());
        for bad in ["", "foo", "localhost:4222", "http://x", "nats://a,"] {
            assert!(nats(bad).is_err(), "{bad}");
        }
        assert!(brokers("localhost:9092, [::1]:9093").is_ok());
        for bad in ["", "foo", "kafka:9092,", "kafka:x", ":9092", "http://kafka:9092", "kafka:0"] {
            assert!(brokers(bad).is_err(), "{bad}");
        }
    }
}
