//! `mesh health`: asks a service whether it is well; for containers whose image has no other program for that.

use std::{error::Error, process::ExitCode, time::Duration};

use chassis::text::printable;
use clap::Args;

use crate::output;

pub(crate) const EXAMPLES: &str = "\
Examples:
  mesh health http://127.0.0.1:9464/readyz     exit status 0 if the service is ready, 1 if not
  mesh health http://127.0.0.1:9464/livez      exit status 0 if the process is alive";

/// Check the health of a service at its admin port: exit status 0 if it answers with success within 2 s, 1 if not.
#[derive(Args)]
pub(crate) struct Options {
    /// The URL to check.
    #[arg(value_parser = http)]
    url: String,
}

/// Shorter than the timeout of a container's health check, so that the reason is printed before the check is killed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// The maximum length of an answer that is shown: it should fit on one line of a container's health log.
const SHOWN: usize = 200;

fn http(text: &str) -> Result<String, String> {
    let parsed = reqwest::Url::parse(text).ok().filter(|url| url.scheme() == "http");
    parsed.map(String::from).ok_or_else(|| "expected http://host:port/path".into())
}

pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(ask(&options.url)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(reason) => {
            output::print_error(format_args!("{} {reason}", options.url));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// # Errors
/// The reason why the service is not well, on one line.
async fn ask(url: &str) -> Result<(), String> {
    let client = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT);
    let client = client.redirect(reqwest::redirect::Policy::none()).build();
    let answer = client.map_err(|error| why(&error))?.get(url).send().await;
    let answer = answer.map_err(|error| why(&error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.text().await.unwrap_or_default();
    let line: Vec<_> = body.split_whitespace().collect();
    let line = printable(&line.join(" "), SHOWN);
    Err(format!("answers {status}: {line}").trim_end_matches(": ").to_owned())
}

fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("does not answer within {} s", REQUEST_TIMEOUT.as_secs());
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    format!("does not answer: {innermost}")
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, routing::get};

    use super::*;

    async fn service() -> String {
        let waits = (StatusCode::SERVICE_UNAVAILABLE, "{\n \"missing\": [\"kafka\"]\n}");
        let router = Router::new()
            .route("/livez", get(|| async { "ok" }))
            .route("/readyz", get(move || async move { waits }))
            .route("/moved", get(|| async { axum::response::Redirect::to("/livez") }))
            .route("/slow", get(|| async { tokio::time::sleep(2 * REQUEST_TIMEOUT).await }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test has no App")]
        tokio::spawn(axum::serve(listener, router).into_future());
        format!("http://{address}")
    }

    #[tokio::test]
    async fn health_is_an_answer_of_the_two_hundreds_and_anything_else_has_a_reason() {
        let service = service().await;
        let ask = async |path: &str| ask(&format!("{service}{path}")).await;
        assert_eq!(ask("/livez").await, Ok(()));
        let waits = "answers 503 Service Unavailable: { \"missing\": [\"kafka\"] }";
        assert_eq!(ask("/readyz").await, Err(waits.into()));
        assert_eq!(ask("/moved").await, Err("answers 303 See Other".into()));
        assert_eq!(ask("/slow").await, Err("does not answer within 2 s".into()));
    }

    #[tokio::test]
    async fn an_address_without_a_server_is_an_error_with_its_cause() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let reason = ask(&format!("http://{address}/livez")).await.unwrap_err();
        assert!(reason.starts_with("does not answer: Connection refused"), "{reason}");
    }

    #[test]
    fn only_what_can_be_asked_is_taken() {
        assert!(http("127.0.0.1:9464/readyz").is_err() && http("https://x/").is_err());
        assert_eq!(http("http://127.0.0.1:9464").unwrap(), "http://127.0.0.1:9464/");
    }
}
