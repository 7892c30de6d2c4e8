//! A customer of the gateway.

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::until;

/// A client of one gateway's REST API.
#[derive(Clone)]
pub struct Gateway {
    client: Client,
    base: String,
}

/// A response of the gateway.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; `null` if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// A header's value; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A string in the body by its JSON pointer; empty if it is absent.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// An order that was accepted.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// The order's trace.
    pub trace_id: String,
}

impl Order {
    /// From the gateway's response to the accepted order.
    fn read(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { id: text("id"), trace_id: text("trace_id") }
    }
}

/// A request of which the last part has not been sent.
pub struct Begun {
    stream: TcpStream,
    rest: String,
}

impl Begun {
    /// Sends the last part.
    ///
    /// # Panics
    /// If the order is not accepted, or if there is no response.
    pub async fn finish(mut self) -> Order {
        self.stream.write_all(self.rest.as_bytes()).await.expect("the connection is still there");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.expect("an answer, and its end");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 202 "), "{answer}");
        Order::read(&serde_json::from_str(body).expect("JSON"))
    }
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Its name.
    pub event: String,
    /// Its id.
    pub id: String,
    /// Its data.
    pub data: Value,
}

impl Gateway {
    /// The gateway at this address, `http://…`.
    pub fn new(base: &str) -> Self {
        Self { client: Client::new(), base: base.trim_end_matches('/').to_owned() }
    }

    /// Sends a request; `None` if there is no response.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Option<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let body = serde_json::from_slice(&response.bytes().await.ok()?).unwrap_or_default();
        Some(Answer { status, headers, body })
    }

    /// Sends a request.
    ///
    /// # Panics
    /// If there is no response.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answer {
        self.try_send(method, path, headers, body)
            .await
            .unwrap_or_else(|| panic!("no answer from {}{path}", self.base))
    }

    /// Sends a GET request.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Tries to order a quantity of one product.
    pub async fn order(&self, quantity: u32, sku: &str, token: &str) -> Answer {
        self.send(Method::POST, "/api/orders", &[], Some(&body(quantity, sku, token))).await
    }

    /// Orders one teapot, paid with this token.
    ///
    /// # Panics
    /// If the order is not accepted.
    pub async fn place(&self, token: &str) -> Order {
        let answer = self.order(1, "teapot", token).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        Order::read(&answer.body)
    }

    /// Begins to order one teapot: the request is in flight, and its last part has not been sent.
    ///
    /// # Panics
    /// If the gateway does not accept the connection.
    pub async fn begin(&self, token: &str) -> Begun {
        let address = self.base.trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).await.expect("the gateway listens");
        let body = body(1, "teapot", token);
        let head = format!(
            "POST /api/orders HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        let (now, rest) = body.split_at(body.len() / 2);
        stream.write_all((head + now).as_bytes()).await.expect("it is read");
        Begun { stream, rest: rest.to_owned() }
    }

    /// Waits until an order has this status.
    pub async fn until_status(&self, order: &Order, status: &str) -> Answer {
        until(&format!("order {} to be {status}", order.id), || async {
            let answer =
                self.try_send(Method::GET, &format!("/api/orders/{}", order.id), &[], None).await?;
            (answer.text("/status") == status).then_some(answer)
        })
        .await
    }

    /// Reads an order's live stream until it ends.
    ///
    /// # Panics
    /// If the stream cannot be opened.
    pub async fn live(&self, order: &Order) -> Vec<Live> {
        let url = format!("{}/api/orders/{}/live", self.base, order.id);
        let response = self.client.get(url).send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        let text = response.text().await.expect("a stream that ends");
        text.split("\n\n").filter_map(event).collect()
    }
}

fn body(quantity: u32, sku: &str, token: &str) -> String {
    json!({ "items": [{ "sku": sku, "quantity": quantity }], "payment_token": token }).to_string()
}

/// Parses one block of an event stream; `None` for a comment.
fn event(block: &str) -> Option<Live> {
    let mut live = Live { event: "message".into(), id: String::new(), data: Value::Null };
    for line in block.lines() {
        match line.split_once(':') {
            Some(("event", value)) => live.event = value.trim().into(),
            Some(("id", value)) => live.id = value.trim().into(),
            Some(("data", value)) => live.data = serde_json::from_str(value.trim()).ok()?,
            _ => {}
        }
    }
    (!live.data.is_null()).then_some(live)
}
