//! A real Prometheus that holds the samples.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use promql::{Labels, Range, Sample, Series, Value};
use reqwest::Client;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::{
    answers::{Answer, Refusal},
    data::Data,
    remote_write,
};

/// Far longer than a start takes; only a failing run waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Prometheus {
    address: SocketAddr,
    client: Client,
    process: Child,
    _folder: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Prometheus {
    #[expect(clippy::disallowed_methods, reason = "which program to ask is no setting of the mesh")]
    pub(crate) async fn start() -> Self {
        let program =
            std::env::var_os("PROMETHEUS_BIN").expect("PROMETHEUS_BIN names a prometheus");
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yaml");
        std::fs::write(&config, "global: {}\n").unwrap();
        let address = free_address();
        let process = Command::new(program)
            .arg("--config.file")
            .arg(&config)
            .arg("--storage.tsdb.path")
            .arg(folder.path().join("data"))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.enable-remote-write-receiver", "--log.level=error"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let prometheus = Self { address, client: Client::new(), process, _folder: folder };
        tokio::time::timeout(PATIENCE, prometheus.until_ready()).await.expect("a ready Prometheus");
        prometheus
    }

    async fn until_ready(&self) {
        let ready = || self.client.get(format!("http://{}/-/ready", self.address)).send();
        while !ready().await.is_ok_and(|response| response.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn write(&self, data: &Data) {
        for body in remote_write::requests(data) {
            let url = format!("http://{}/api/v1/write", self.address);
            let request = self
                .client
                .post(url)
                .header("content-encoding", "snappy")
                .header("content-type", "application/x-protobuf")
                .header("x-prometheus-remote-write-version", "0.1.0");
            let response = request.body(body).send().await.unwrap();
            let status = response.status();
            assert!(status.is_success(), "{status}: {}", response.text().await.unwrap());
        }
    }

    pub(crate) async fn instant(&self, query: &str, at_ms: i64) -> Answer {
        self.ask("query", &[("query", query), ("time", &seconds(at_ms))]).await
    }

    pub(crate) async fn range(&self, query: &str, range: Range) -> Answer {
        let (start, end) = (seconds(range.start_ms), seconds(range.end_ms));
        let step = seconds(range.step_ms);
        let form = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        self.ask("query_range", &form).await
    }

    async fn ask(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("http://{}/api/v1/{path}", self.address);
        let response = self.client.post(url).form(form).send().await.unwrap();
        let answer: Json = response.json().await.unwrap();
        if answer["status"] == "success" {
            return Ok(value(&answer["data"]));
        }
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        Err(Refusal { kind: text("errorType"), text: text("error") })
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn value(data: &Json) -> Value {
    let result = &data["result"];
    let series = || result.as_array().unwrap().iter();
    match data["resultType"].as_str().unwrap() {
        "scalar" => Value::Scalar(sample(result)),
        "string" => Value::String(moment(&result[0]), result[1].as_str().unwrap().to_owned()),
        "vector" => Value::Vector(
            series().map(|one| (labels(&one["metric"]), sample(&one["value"]))).collect(),
        ),
        "matrix" => Value::Matrix(
            series()
                .map(|one| Series {
                    labels: labels(&one["metric"]),
                    samples: one["values"].as_array().unwrap().iter().map(sample).collect(),
                })
                .collect(),
        ),
        other => panic!("a result of type {other}"),
    }
}

fn labels(metric: &Json) -> Labels {
    let pair =
        |(name, value): (&String, &Json)| (name.as_str().into(), value.as_str().unwrap().into());
    Labels::new(metric.as_object().unwrap().iter().map(pair))
}

fn sample(pair: &Json) -> Sample {
    Sample { at_ms: moment(&pair[0]), value: pair[1].as_str().unwrap().parse().unwrap() }
}

fn moment(seconds: &Json) -> i64 {
    (seconds.as_f64().unwrap() * 1000.0).round() as i64
}
