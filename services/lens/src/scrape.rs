//! Scrapes every service's metrics, as Prometheus would.
//!
//! All samples go to the store of series. Beside it, it keeps what shows how the services are: the last text of each, and five minutes
//! of a few sums.

mod addresses;
mod departed;
mod exposition;
mod history;
mod instance;
mod request;
mod samples;
mod targets;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;

use bytes::Bytes;
use futures::future::join_all;
use parking_lot::RwLock;
use reqwest::Url;
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::{
    departed::Departed,
    instance::Instance,
    samples::{Answer, Round},
};
pub(crate) use self::{
    history::{Points, REACH, Red, Vitals},
    instance::{Replica, Service},
    targets::Scraped,
};
use crate::{config::Scrape, coverage::Measured};

/// Scrapes the targets and keeps the results.
pub(crate) struct Scraper {
    client: reqwest::Client,
    series: Arc<timeseries::Store>,
    every: Duration,
    timeout: Duration,
    targets: RwLock<BTreeMap<String, Target>>,
}

struct Target {
    url: Url,
    /// Why its name could not be looked up, and since when.
    error: Option<String>,
    down_since: Option<SystemTime>,
    /// When it first answered.
    known_since: Option<SystemTime>,
    /// The last answer of its first instance that answered: other instances have the same metrics with other numbers.
    text: Bytes,
    /// By address: a name may stand for several pods, which come and go.
    instances: BTreeMap<String, Instance>,
    /// The addresses of instances that have drained and ended.
    ended: BTreeSet<String>,
    departed: Departed,
}

impl Scraper {
    pub(crate) fn new(scrape: &Scrape, series: &Arc<timeseries::Store>) -> anyhow::Result<Self> {
        let target = |(service, url): (&String, &String)| {
            let error = || format!("scrape.targets.{service}: {url:?} is no URL");
            Ok((service.clone(), Target::new(Url::parse(url).with_context(error)?)))
        };
        let targets = scrape.targets.iter().map(target).collect::<anyhow::Result<_>>()?;
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            series: Arc::clone(series),
            every: scrape.every,
            timeout: scrape.timeout,
            targets: RwLock::new(targets),
        })
    }

    /// The bytes that it uses now.
    pub(crate) fn bytes(&self) -> usize {
        let targets = self.targets.read();
        let bytes = |target: &Target| {
            let histories = target.instances.values().map(|instance| instance.history.bytes());
            target.text.len() + histories.sum::<usize>()
        };
        targets.values().map(bytes).sum()
    }

    /// Scrapes all targets again and again; calls `each_round` after each round.
    pub(crate) async fn run(&self, each_round: impl Fn()) {
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.scrape().await;
            each_round();
        }
    }

    /// Scrapes all targets once.
    pub(crate) async fn scrape(&self) {
        let urls: Vec<_> = self
            .targets
            .read()
            .iter()
            .map(|(name, target)| (name.clone(), target.url.clone()))
            .collect();
        let rounds = urls.into_iter().map(async |(name, url)| (name, self.round(&url).await));
        for (name, round) in join_all(rounds).await {
            self.remember(&name, round);
        }
    }

    async fn round(&self, url: &Url) -> Round {
        let late = || format!("no answer within {:?}", self.timeout);
        let instances = tokio::time::timeout(self.timeout, addresses::of(url)).await;
        let instances = instances.unwrap_or_else(|_| Err(format!("look-up: {}", late())))?;
        let answers = instances.into_iter().map(async |(address, url)| {
            let (at, started) = (SystemTime::now(), Instant::now());
            let text = tokio::time::timeout(self.timeout, request::get(&self.client, url)).await;
            let text = text.unwrap_or_else(|_| Err(late()));
            Answer { address, at, took: started.elapsed(), text }
        });
        Ok(join_all(answers).await)
    }

    fn remember(&self, name: &str, mut round: Round) {
        let mut targets = self.targets.write();
        let Some(target) = targets.get_mut(name) else { return };
        if let Ok(answers) = &mut round {
            target.leave_out_ended(answers);
        }
        let known = target.instances.keys().cloned();
        let now = SystemTime::now();
        samples::store(&self.series, name, &target.url, known.collect(), &mut round, now);
        match round {
            Ok(answers) => target.remember(name, answers),
            Err(error) => target.lost(name, error),
        }
    }

    /// The rates of handled requests and events by service, all its instances together.
    pub(crate) fn measured(&self, window: Duration) -> BTreeMap<String, Measured> {
        let mut all = BTreeMap::<String, Measured>::new();
        for service in self.services(window) {
            let Vitals { requests, messages, .. } = service.vitals;
            for red in [requests, messages].into_iter().flatten() {
                let measured = all.entry(service.name().to_owned()).or_default();
                measured.handled += red.rate;
                measured.errors += red.errors_per_second;
            }
        }
        all
    }

    /// The last metrics text of a service; `None` if there is no such target.
    pub(crate) fn text(&self, service: &str) -> Option<Bytes> {
        self.targets.read().get(service).map(|target| target.text.clone())
    }
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
        let timeout = Duration::from_millis(500);
        let scrape = Scrape { every: Duration::from_millis(1), timeout, targets };
        let series = timeseries::Store::new(timeseries::Options::default());
        Scraper::new(&scrape, &Arc::new(series)).unwrap()
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
        assert_eq!(
            orders.instance.as_deref(),
            up.strip_prefix("http://").unwrap().split('/').next()
        );

        tasks.shutdown().await;
        scraper.scrape().await;
        let orders = &scraper.services(REACH)[2];
        assert!(
            orders.error.is_some() && orders.vitals.memory_bytes == Some(42.0),
            "down, and what is known of it"
        );
    }

    /// `mesh up` stops its services before lens.
    #[tokio::test]
    async fn a_service_that_stops_is_shown_at_once_and_warned_of_when_it_stays_away() {
        let mut instance = Instance::default();
        let mut failed = || instance.failed("refused".to_owned());
        assert_eq!([(); 5].map(|()| failed()), [false, false, true, false, false]);
        let mut tasks = JoinSet::new();
        let url = serve(&mut tasks, Router::new().route("/metrics", get(|| async { "" }))).await;
        let scraper = scraper(&[("orders", &url)]);
        let failures = |scraper: &Scraper| {
            let targets = scraper.targets.read();
            targets["orders"].instances.values().map(|instance| instance.failures).sum::<u32>()
        };
        scraper.scrape().await;
        assert_eq!(failures(&scraper), 0);
        tasks.shutdown().await;
        scraper.scrape().await;
        assert_eq!(failures(&scraper), 1);
        assert!(scraper.services(REACH)[0].error.is_some());
    }

    #[tokio::test]
    async fn a_text_without_end_is_cut_off() {
        let mut tasks = JoinSet::new();
        let endless = get(|| async { "x".repeat(request::LONGEST_TEXT + 1) });
        let url = serve(&mut tasks, Router::new().route("/metrics", endless)).await;
        let scraper = scraper(&[("loud", &url)]);
        scraper.scrape().await;
        assert!(scraper.services(REACH)[0].error.as_ref().unwrap().contains("more than"));
        assert_eq!(scraper.bytes(), 0);
    }

    /// A pod that another one replaces has ended; one that was away for some time has not.
    #[tokio::test]
    async fn the_processes_of_a_service_are_counted_at_all_its_addresses() {
        let scraper = scraper(&[("orders", "http://orders:8081/metrics")]);
        let says = |address: &str, started: f64| {
            let text = format!("process_start_time_seconds {started}\n");
            Answer::now(address, Ok(Bytes::from(text)))
        };
        let (one, other) = ("10.0.0.1:1", "10.0.0.2:1");
        for (round, ended) in [
            (vec![says(one, 10.25)], 0),
            (vec![says(one, 10.5)], 1),
            (vec![says(one, 10.5), says(other, 20.0)], 1),
            (vec![says(other, 20.0)], 2),
            (vec![], 3),
            (vec![says(other, 20.0)], 2),
            (vec![says(one, 30.0)], 3),
            (vec![says(one, 30.0), Answer::now(other, Err("refused".to_owned()))], 3),
            (vec![says(one, 30.0)], 3),
        ] {
            scraper.remember("orders", Ok(round));
            assert_eq!(scraper.services(REACH)[0].ended, ended);
        }
    }

    /// A pod's data is kept while another starts, and forgotten when its address is gone.
    #[tokio::test]
    async fn pods_come_and_go() {
        let scraper = scraper(&[("orders", "http://orders:8081/metrics")]);
        let says = |address: &str, handled: u32| {
            let text = format!(
                "messaging_process_duration_seconds_count{{outcome=\"handled\"}} {handled}\n"
            );
            Answer::now(address, Ok(Bytes::from(text)))
        };
        let away = |address: &str| Answer::now(address, Err("refused".to_owned()));
        scraper.remember("orders", Err("no such name".into()));
        let services = scraper.services(REACH);
        assert_eq!(
            (&services[0].instance, services[0].error.as_deref()),
            (&None, Some("no such name"))
        );
        scraper.remember("orders", Ok(vec![says("10.0.0.1:1", 0), says("10.0.0.2:1", 10)]));
        scraper.remember("orders", Ok(vec![says("10.0.0.1:1", 5), away("10.0.0.2:1")]));
        let up = |services: &[Service]| -> Vec<_> {
            let of =
                |one: &Service| (one.instance.clone().unwrap_or_default(), one.error.is_none());
            services.iter().map(of).collect()
        };
        let both = [("10.0.0.1:1".to_owned(), true), ("10.0.0.2:1".to_owned(), false)];
        assert_eq!(up(&scraper.services(REACH)), both);
        assert!(scraper.measured(REACH)["orders"].handled > 0.0);
        scraper.remember("orders", Ok(vec![says("10.0.0.1:1", 9), says("10.0.0.3:1", 0)]));
        assert_eq!(scraper.services(REACH)[1].instance.as_deref(), Some("10.0.0.3:1"));
        scraper.remember("orders", Err("no answer".into()));
        assert!(
            scraper.services(REACH).iter().all(|one| one.error.as_deref() == Some("no answer"))
        );
    }

    /// In a rollout, the name of a Service keeps the address of a pod for a while that has drained and ended.
    #[tokio::test]
    async fn a_pod_that_drained_has_ended_and_one_that_did_not_is_down() {
        let scraper = scraper(&[("orders", "http://orders:8081/metrics")]);
        let says = |address: &str, ready: u8| {
            Answer::now(address, Ok(Bytes::from(format!("mesh_ready {ready}\n"))))
        };
        let away = |address: &str| Answer::now(address, Err("refused".to_owned()));
        let seen = |round: Vec<Answer>| -> Vec<_> {
            scraper.remember("orders", Ok(round));
            let of = |one: Service| {
                (one.instance.unwrap_or_default(), one.error.is_none(), one.draining)
            };
            scraper.services(REACH).into_iter().map(of).collect()
        };
        let one = |address: &str, up: bool, draining: bool| (address.to_owned(), up, draining);
        let (a, b) = ("10.0.0.1:1", "10.0.0.2:1");
        assert_eq!(seen(vec![says(a, 0)]), [one(a, true, false)], "it starts");
        assert_eq!(seen(vec![says(a, 1), away(b)]), [one(a, true, false), one(b, false, false)]);
        assert_eq!(seen(vec![says(a, 0), says(b, 1)]), [one(a, true, true), one(b, true, false)]);
        for _ in 0..2 {
            assert_eq!(seen(vec![away(a), says(b, 1)]), [one(b, true, false)], "it has ended");
        }
        assert_eq!(seen(vec![says(a, 0), says(b, 1)]), [one(a, true, false), one(b, true, false)]);
        assert_eq!(seen(vec![says(a, 0), away(b)]), [one(a, true, false), one(b, false, false)]);
        assert_eq!(seen(vec![says(b, 0)]), [one(b, true, true)]);
        assert_eq!(seen(vec![away(b)]), [one(b, false, true)], "the only one is down");
    }
}
