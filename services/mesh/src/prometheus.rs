//! A client of Prometheus' HTTP API, which lens and every Prometheus have.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use chassis::text::printable;
use reqwest::{StatusCode, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::status;

/// Somewhat longer than lens lets a query run.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The maximum length of an error of the server in ours.
const LONGEST_ERROR: usize = 1_000;

/// A Prometheus, or lens.
pub(crate) struct Prometheus {
    client: reqwest::Client,
    base: String,
}

/// The envelope of every answer.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    data: Value,
    #[serde(default, rename = "errorType")]
    kind: String,
    #[serde(default)]
    error: String,
}

impl Prometheus {
    /// The Prometheus at this URL; without one, lens of the mesh in this folder.
    pub(crate) async fn at(url: Option<&str>) -> anyhow::Result<Self> {
        let base = match url {
            Some(url) => url.to_owned(),
            None => {
                let lens = status::lens().await.context("--url says where a Prometheus is")?;
                format!("{lens}/prometheus")
            }
        };
        let client = reqwest::Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).build()?;
        Ok(Self { client, base })
    }

    /// The data of the answer, as JSON.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        let base = &self.base;
        let mut url = Url::parse(&format!("{base}/api/v1/{path}"))
            .with_context(|| format!("{base:?} is no URL"))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self.client.get(url).send().await;
        let answer = answer.with_context(|| format!("the Prometheus at {base} does not answer"))?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| format!("cannot read {base}"))?;
        let Ok(answer) = serde_json::from_str::<Answer>(&text) else {
            if status == StatusCode::NOT_FOUND {
                bail!("{base} has no Prometheus API; behind a gateway, it is below /prometheus");
            }
            bail!("{base} answered {status}, and not as a Prometheus does");
        };
        if answer.status == "success" {
            return Ok(answer.data);
        }
        let error = answer.error.split_whitespace().collect::<Vec<_>>().join(" ");
        bail!("{}: {}", answer.kind, printable(&error, LONGEST_ERROR));
    }

    /// The data of the answer.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> anyhow::Result<T> {
        let data = self.get(path, query).await?;
        serde_json::from_value(data)
            .with_context(|| format!("{} does not answer as a Prometheus does", self.base))
    }

    /// The server's time, in seconds since the Unix epoch: that of a recorded run is its end.
    pub(crate) async fn now(&self) -> anyhow::Result<f64> {
        #[derive(Deserialize)]
        struct Scalar {
            result: (f64, String),
        }
        let Scalar { result: (now, _) } =
            self.read("query", &[("query", "time()".to_owned())]).await?;
        Ok(now)
    }

    /// The front door's own address, if this Prometheus is behind one that has Grafana, too.
    pub(crate) async fn grafana(&self) -> Option<String> {
        let door = self.base.strip_suffix("/prometheus")?;
        let health = self.client.get(format!("{door}/grafana/api/health")).send().await.ok()?;
        health.status().is_success().then(|| door.to_owned())
    }
}

/// Labels by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// Labels as PromQL writes them: `name{label="value"}`.
pub(crate) fn series(labels: &Labels) -> String {
    let name = labels.get(NAME).map_or("", String::as_str);
    let rest = labels.iter().filter(|(label, _)| *label != NAME);
    let rest: Vec<_> = rest.map(|(label, value)| format!("{label}={value:?}")).collect();
    if rest.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", rest.join(","))
}

/// The label with the name of a metric.
pub(crate) const NAME: &str = "__name__";
