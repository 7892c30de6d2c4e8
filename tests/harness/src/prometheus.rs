//! What the mesh answers as a Prometheus: its lens, behind the front door.

use reqwest::Url;
use serde_json::Value;

use crate::Mesh;

impl Mesh {
    /// The data of Prometheus' API at this path, such as `query`; an error is its text.
    ///
    /// # Errors
    /// The API refuses the request, or does not answer.
    ///
    /// # Panics
    /// If the path is no path.
    pub async fn prometheus(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let url = format!("http://127.0.0.1:{}/prometheus/api/v1/{path}", self.base());
        let mut url = Url::parse(&url).expect("a URL");
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
        let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
        if answer["status"] != "success" {
            return Err(answer.to_string());
        }
        Ok(answer["data"].take())
    }

    /// The values of an instant query, one for each series; empty while the API does not answer.
    pub async fn values(&self, query: &str) -> Vec<f64> {
        let data = self.prometheus("query", &[("query", query)]).await.unwrap_or_default();
        let number = |sample: &Value| sample[1].as_str()?.parse().ok();
        if data["resultType"] == "scalar" {
            return number(&data["result"]).into_iter().collect();
        }
        let series = data["result"].as_array().map_or(&[][..], Vec::as_slice).iter();
        series.filter_map(|one| number(&one["value"])).collect()
    }

    /// The alerts in this state, each with its labels; empty while the API does not answer.
    pub async fn alerts(&self, state: &str) -> Vec<Value> {
        let data = self.prometheus("alerts", &[]).await.unwrap_or_default();
        let alerts = data["alerts"].as_array().cloned().unwrap_or_default();
        alerts.into_iter().filter(|alert| alert["state"] == state).collect()
    }
}
