//! Asks one instance for its metrics.

use bytes::{Bytes, BytesMut};
use reqwest::{Client, Url, header};

/// The maximum size of an answer; a service of the mesh sends some 100 KiB.
pub(super) const LONGEST_TEXT: usize = 2 << 20;

/// Prefers OpenMetrics, which has exemplars.
const ACCEPT: &str =
    "application/openmetrics-text; version=1.0.0, text/plain; version=0.0.4; q=0.5";

/// The text of an answer.
///
/// # Errors
/// There is no answer, it is no success, it is too long, or it is OpenMetrics without its end.
pub(super) async fn get(client: &Client, url: Url) -> Result<Bytes, String> {
    let request = client.get(url).header(header::ACCEPT, ACCEPT).send();
    let mut response = request.await.map_err(|error| error_text(&error))?;
    if !response.status().is_success() {
        return Err(format!("answered {}", response.status()));
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_openmetrics =
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/openmetrics-text"));
    let mut text = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error_text(&error))? {
        if text.len() + chunk.len() > LONGEST_TEXT {
            return Err(format!("said more than {LONGEST_TEXT} bytes"));
        }
        text.extend_from_slice(&chunk);
    }
    if is_openmetrics && !text.trim_ascii_end().ends_with(b"# EOF") {
        return Err("answered OpenMetrics without # EOF: the end is missing".to_owned());
    }
    Ok(text.freeze())
}

/// The error with its causes: the last cause of a `reqwest` error says what happened.
fn error_text(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
