//! Clients that are slow, or send unusual input.

use harness::Options;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn open(port: u16, begin: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.write_all(begin.as_bytes()).await.expect("the beginning of a request is taken");
    stream
}

fn admin_port(address: &str) -> u16 {
    let (_, port) = address.rsplit_once(':').expect("an address with a port");
    port.parse().expect("a port")
}

const SLOW_HEAD: &str = "GET /api/products HTTP/1.1\r\nhost: localhost\r\nx-slow: ";
const SLOW_BODY: &str = "POST /api/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{";

/// A thousand connections never finish their headers, and more requests than may be in flight never finish their body: other
/// clients are served.
pub(crate) async fn slow_clients_delay_no_other_client(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.service("gateway").await;
    let port = mesh.base();
    let admin = admin_port(gateway.admin.as_deref().expect("an admin port"));
    let mut slow = Vec::new();
    for _ in 0..1000 {
        slow.push(open(port, SLOW_HEAD).await);
    }
    for _ in 0..130 {
        slow.push(open(port, SLOW_BODY).await);
    }
    for _ in 0..200 {
        slow.push(open(admin, SLOW_HEAD).await);
    }
    for _ in 0..10 {
        mesh.gateway().place("tok_ok").await;
        assert!(mesh.admin("gateway", "/readyz").await.is_some());
    }
    let open = mesh.metrics("gateway").await.sum("mesh_connections", &[("port", "http")]);
    assert!((1.0..=512.0).contains(&open), "{open}");
    drop(slow);
}

/// A client that closes its sending side still gets its response.
pub(crate) async fn a_half_closed_client_is_answered(options: Options) {
    let mesh = options.start().await;
    let body = r#"{"items":[{"sku":"teapot","quantity":1}],"payment_token":"tok_ok"}"#;
    for _ in 0..20 {
        let length = body.len();
        let request = format!(
            "POST /api/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut stream = open(mesh.base(), &request).await;
        stream.shutdown().await.expect("the sending side is closed");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    }
    mesh.audit().await;
}

/// Long inputs are answered at once, and do not delay requests that come at the same time.
pub(crate) async fn long_inputs_delay_no_other_request(options: Options) {
    let mesh = options.start().await;
    let gateway = mesh.gateway();
    for input in ["a".repeat(7000), "%F0%9F%AB%96".repeat(600), "%0A".repeat(2000)] {
        let paths = [
            (format!("/api/products/{input}"), 404),
            (format!("/api/orders/{input}"), 404),
            (format!("/api/products?q={input}"), 422),
            (format!("/api/orders?cursor={input}"), 422),
            (format!("/api/orders?status={input}"), 422),
            (format!("/api/products?{input}=1"), 422),
        ];
        for (path, status) in paths {
            let (refused, other) =
                futures::future::join(gateway.get(&path), gateway.get("/api/products/teapot"))
                    .await;
            assert_eq!(refused.status, status, "{refused:?}");
            assert!(refused.body.to_string().len() < 4000, "{refused:?}");
            assert_eq!(other.status, 200, "{other:?}");
        }
    }
    let long = "b".repeat(20_000);
    for header in ["baggage", "tracestate", "user-agent", "idempotency-key", "last-event-id"] {
        let headers = [(header, long.as_str())];
        let answer =
            gateway.send(reqwest::Method::GET, "/api/products/teapot", &headers, None).await;
        assert_eq!(answer.status, 200, "{header}: {answer:?}");
    }
}
