//! The admin ports of the services: a fixed list of requests, each limited in time and size.
//!
//! The addresses are those that lens scrapes. No part of a path comes from a request.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chassis::{
    error::chain,
    http::{PROBLEM, Problem},
};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header, redirect::Policy};
use serde_json::{Value, json};

/// How long an admin port may take for an answer that it has at hand.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How much longer than its duration a profile may take: names are looked up after the last sample.
const REPORTING: Duration = Duration::from_secs(15);
/// The maximum size of an answer; the settings of a service are some 10 KiB.
const LONGEST: usize = 256 << 10;
/// The maximum size of a profile; 30 s of two busy cores are some 300 KiB, gzipped.
const LARGEST_PROFILE: usize = 4 << 20;

/// What an admin port has as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// All settings, with their sources; secrets are masked.
    Config,
    /// The latches and conditions. A process that is not ready answers with 503.
    Readiness,
    /// The directives of the log filter, and when they revert.
    LogLevel,
}

impl Page {
    fn path(self) -> &'static str {
        match self {
            Self::Config => "/config",
            Self::Readiness => "/readyz",
            Self::LogLevel => "/log-level",
        }
    }
}

/// Why there is no usable answer.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The admin port cannot be reached, or says something else than expected.
    Unusable(String),
    /// The service refused the request.
    Refused(Box<Problem>),
}

/// A client of admin ports.
pub(crate) struct AdminPorts {
    client: Client,
}

impl AdminPorts {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { client: Client::builder().no_proxy().redirect(Policy::none()).build()? })
    }

    /// One page of the admin port at `base`.
    ///
    /// # Errors
    /// There is no usable answer.
    pub(crate) async fn page(&self, base: &str, page: Page) -> Result<Value, Failure> {
        let request = self.client.get(format!("{base}{}", page.path()));
        let accepted: &[StatusCode] = match page {
            Page::Readiness => &[StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE],
            Page::Config | Page::LogLevel => &[StatusCode::OK],
        };
        let request = request.header(header::ACCEPT, "application/json");
        json_of(&answer(request, TIMEOUT, LONGEST, accepted).await?)
    }

    /// Sets the log level for some minutes; the service itself reverts it.
    ///
    /// # Errors
    /// There is no usable answer, or the directives cannot be parsed.
    pub(crate) async fn set_level(
        &self,
        base: &str,
        level: &str,
        minutes: u64,
    ) -> Result<Value, Failure> {
        let body = json!({ "level": level, "for": format!("{minutes}m") });
        let url = format!("{base}{}", Page::LogLevel.path());
        let request = self.client.request(Method::PUT, url).body(body.to_string());
        let request = request.header(header::CONTENT_TYPE, "application/json");
        json_of(&answer(request, TIMEOUT, LONGEST, &[StatusCode::OK]).await?)
    }

    /// A CPU profile in pprof's format, gzipped.
    ///
    /// # Errors
    /// There is no usable answer, or another profile is being taken.
    pub(crate) async fn profile(&self, base: &str, seconds: u64) -> Result<Bytes, Failure> {
        let url = format!("{base}/debug/pprof/profile?seconds={seconds}");
        let timeout = Duration::from_secs(seconds) + REPORTING;
        answer(self.client.get(url), timeout, LARGEST_PROFILE, &[StatusCode::OK]).await
    }
}

async fn answer(
    request: RequestBuilder,
    timeout: Duration,
    longest: usize,
    accepted: &[StatusCode],
) -> Result<Bytes, Failure> {
    let answer = async {
        let response = request.send().await.map_err(|error| Failure::Unusable(chain(&error)))?;
        let (status, is_problem) = (response.status(), is_problem(&response));
        let retry_after = seconds_of(&response, &header::RETRY_AFTER);
        let body = read(response, longest).await?;
        if accepted.contains(&status) && !is_problem {
            return Ok(body);
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(mut problem) if is_problem && !accepted.contains(&status) => {
                problem.retry_after = retry_after;
                Err(Failure::Refused(Box::new(problem)))
            }
            _ => Err(Failure::Unusable(format!("answered {status}"))),
        }
    };
    let late = |_| Failure::Unusable(format!("no answer within {timeout:?}"));
    tokio::time::timeout(timeout, answer).await.map_err(late)?
}

async fn read(mut response: Response, longest: usize) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| Failure::Unusable(chain(&error)))?
    {
        if body.len() + chunk.len() > longest {
            return Err(Failure::Unusable(format!("answered with more than {longest} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn json_of(body: &Bytes) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::Unusable(format!("answered with invalid JSON: {error}")))
}

fn is_problem(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM.as_bytes()))
}

fn seconds_of(response: &Response, name: &header::HeaderName) -> Option<u32> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}
