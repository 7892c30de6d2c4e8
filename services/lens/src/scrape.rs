//! Asks every service for its numbers, as Prometheus would.
//!
//! What is kept is what the answer to "how are they?" needs: the last text of each, and five minutes of a few sums. It is no
//! time series database, on purpose.

mod exposition;
mod history;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use parking_lot::RwLock;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::history::History;
pub(crate) use self::history::{REACH, Red, Vitals};

/// A service of the mesh says some 100 KiB.
const LONGEST_TEXT: usize = 2 << 20;

/// Asks, and remembers the answers.
pub(crate) struct Scraper {
    client: reqwest::Client,
    every: Duration,
    timeout: Duration,
    targets: RwLock<BTreeMap<String, Target>>,
}

struct Target {
    url: String,
    text: Bytes,
    scraped_at: Option<SystemTime>,
    /// Why the last attempt failed.
    error: Option<String>,
    history: History,
}

/// How a service is.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: String,
    /// Why it did not answer the last time; `None` if it did.
    pub(crate) error: Option<String>,
    pub(crate) scraped_at: Option<SystemTime>,
    pub(crate) vitals: Vitals,
}

impl Scraper {
    pub(crate) fn new(
        targets: &BTreeMap<String, String>,
        every: Duration,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let target = |url: &String| Target {
            url: url.clone(),
            text: Bytes::new(),
            scraped_at: None,
            error: Some("not asked yet".to_owned()),
            history: History::default(),
        };
        let targets = targets.iter().map(|(service, url)| (service.clone(), target(url))).collect();
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            every,
            timeout,
            targets: RwLock::new(targets),
        })
    }

    /// What it holds now.
    pub(crate) fn bytes(&self) -> usize {
        self.targets.read().values().map(|target| target.text.len() + target.history.bytes()).sum()
    }

    /// Asks everybody again and again, and calls `each_round` afterwards.
    pub(crate) async fn run(&self, each_round: impl Fn()) {
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.scrape().await;
            each_round();
        }
    }

    /// Asks everybody once.
    pub(crate) async fn scrape(&self) {
        let urls: Vec<_> = self
            .targets
            .read()
            .iter()
            .map(|(name, target)| (name.clone(), target.url.clone()))
            .collect();
        let answers = urls.into_iter().map(async |(name, url)| {
            let answer = tokio::time::timeout(self.timeout, self.ask(&url)).await;
            let answer =
                answer.unwrap_or_else(|_| Err(format!("no answer within {:?}", self.timeout)));
            (name, answer)
        });
        for (name, answer) in join_all(answers).await {
            self.remember(&name, answer);
        }
    }

    async fn ask(&self, url: &str) -> Result<Bytes, String> {
        let request = self.client.get(url).header("accept", "text/plain").send();
        let mut response = request.await.map_err(|error| told(&error))?;
        if !response.status().is_success() {
            return Err(format!("answered {}", response.status()));
        }
        let mut text = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? {
            if text.len() + chunk.len() > LONGEST_TEXT {
                return Err(format!("said more than {LONGEST_TEXT} bytes"));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text.freeze())
    }

    fn remember(&self, name: &str, answer: Result<Bytes, String>) {
        let sample =
            answer.as_ref().map(|text| exposition::read(&String::from_utf8_lossy(text))).ok();
        let mut targets = self.targets.write();
        let Some(target) = targets.get_mut(name) else { return };
        if let Some(sample) = sample {
            target.history.add(Instant::now(), sample);
            target.scraped_at = Some(SystemTime::now());
        }
        match answer {
            // Its own buffer has room that nobody needs.
            Ok(text) => (target.text, target.error) = (Bytes::copy_from_slice(&text), None),
            Err(error) => {
                if target.error.is_none() {
                    tracing::warn!(asked = name, error, "a service does not tell its metrics");
                }
                target.error = Some(error);
            }
        }
    }

    /// All services there are to ask, by name.
    pub(crate) fn services(&self, window: Duration) -> Vec<Service> {
        let targets = self.targets.read();
        let service = |(name, target): (&String, &Target)| Service {
            name: name.clone(),
            error: target.error.clone(),
            scraped_at: target.scraped_at,
            vitals: target.history.over(window),
        };
        targets.iter().map(service).collect()
    }

    /// What a service said last; `None` if there is no such service.
    pub(crate) fn text(&self, service: &str) -> Option<Bytes> {
        self.targets.read().get(service).map(|target| target.text.clone())
    }
}

/// The error and its causes: `reqwest` keeps what happened in the last of them.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use tokio::{net::TcpListener, task::JoinSet};

    use super::*;

    async fn serve(tasks: &mut JoinSet<()>, router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        url
    }

    fn scraper(targets: &[(&str, &str)]) -> Scraper {
        let targets =
            targets.iter().map(|(name, url)| ((*name).to_owned(), (*url).to_owned())).collect();
        Scraper::new(&targets, Duration::from_millis(1), Duration::from_millis(500)).unwrap()
    }

    #[tokio::test]
    async fn a_service_is_up_while_it_answers() {
        let mut tasks = JoinSet::new();
        let text = "process_resident_memory_bytes 42\n";
        let up =
            serve(&mut tasks, Router::new().route("/metrics", get(move || async move { text })))
                .await;
        let broken = serve(&mut tasks, Router::new()).await;
        let scraper =
            scraper(&[("orders", &up), ("odd", &broken), ("away", "http://127.0.0.1:1/metrics")]);
        scraper.scrape().await;

        let services = scraper.services(REACH);
        let [away, odd, orders] = services.as_slice() else { panic!("{services:?}") };
        assert!(away.error.as_ref().unwrap().contains("refused"), "{away:?}");
        assert_eq!(odd.error.as_deref(), Some("answered 404 Not Found"));
        assert_eq!((orders.error.as_deref(), orders.vitals.memory_bytes), (None, Some(42.0)));
        assert_eq!(scraper.text("orders").unwrap(), text);
        assert_eq!(scraper.text("nobody"), None);

        tasks.shutdown().await;
        scraper.scrape().await;
        let orders = &scraper.services(REACH)[2];
        assert!(
            orders.error.is_some() && orders.vitals.memory_bytes == Some(42.0),
            "down, and what is known of it"
        );
    }

    #[tokio::test]
    async fn a_text_without_end_is_cut_off() {
        let mut tasks = JoinSet::new();
        let endless = get(|| async { "x".repeat(LONGEST_TEXT + 1) });
        let url = serve(&mut tasks, Router::new().route("/metrics", endless)).await;
        let scraper = scraper(&[("loud", &url)]);
        scraper.scrape().await;
        assert!(scraper.services(REACH)[0].error.as_ref().unwrap().contains("more than"));
        assert_eq!(scraper.bytes(), 0);
    }
}
