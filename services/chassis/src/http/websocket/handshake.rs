//! The opening handshake: <https://www.rfc-editor.org/rfc/rfc6455#section-4.2>

use axum::{
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};

use super::{Limits, WebSocket, accept};
use crate::{http::Problem, server::upgrade::Hold};

/// The request to switch to WebSocket.
pub struct Upgrade {
    upgrade: WebSocketUpgrade,
    hold: Hold,
}

impl Upgrade {
    /// Accepts it: the session runs until it returns, or until the port closes the connection.
    pub fn accept<F>(
        self,
        limits: Limits,
        session: impl FnOnce(WebSocket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        accept(self.upgrade, self.hold, limits, session)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        if let Some(refusal) = refusal(&parts.headers) {
            return Err(refusal);
        }
        let hold = parts.extensions.get::<Hold>().cloned();
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state)
            .await
            .map_err(|refused| bad(refused.to_string()))?;
        match hold {
            Some(hold) => Ok(Self { upgrade, hold }),
            None => Err(bad("this connection cannot switch its protocol".to_owned())),
        }
    }
}

fn refusal(headers: &HeaderMap) -> Option<Response> {
    let of = |name: HeaderName| headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    let is_websocket = of(header::UPGRADE).eq_ignore_ascii_case(b"websocket");
    if !is_websocket || of(header::SEC_WEBSOCKET_VERSION) != b"13" {
        return Some(required());
    }
    let bad = || bad("the header Sec-WebSocket-Key is not 16 bytes in base64".to_owned());
    (!is_nonce(of(header::SEC_WEBSOCKET_KEY))).then(bad)
}

/// 16 bytes in base64 are 22 digits and two signs of padding.
fn is_nonce(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(is_digit)
}

/// Names the protocol and the version that are spoken here: <https://www.rfc-editor.org/rfc/rfc6455#section-4.4>
fn required() -> Response {
    let detail =
        "this path speaks WebSocket; send `Upgrade: websocket` and `Sec-WebSocket-Version: 13`";
    let headers = [
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
    ];
    (headers, Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade-required", detail))
        .into_response()
}

fn bad(detail: String) -> Response {
    Problem::new(StatusCode::BAD_REQUEST, "bad-handshake", detail).into_response()
}
