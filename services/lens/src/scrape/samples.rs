//! Adds the samples of each round to the store of series.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use promql::Labels;
use reqwest::Url;
use timeseries::{ScrapeError, Store};

use crate::coverage::service_of;

/// The result of scraping one target: each instance's answer, or why the name could not be looked up.
pub(super) type Round = Result<Vec<Answer>, String>;

/// What an instance answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) address: String,
    pub(super) at: SystemTime,
    pub(super) took: Duration,
    pub(super) text: Result<Bytes, String>,
}

#[cfg(test)]
impl Answer {
    pub(super) fn now(address: &str, text: Result<Bytes, String>) -> Self {
        let (address, at, took) = (address.to_owned(), SystemTime::now(), Duration::ZERO);
        Self { address, at, took, text }
    }
}

/// Stores the answers of a target. A malformed answer becomes an error. The series of instances that were `known` and are not found
/// any more end.
pub(super) fn store(
    store: &Store,
    target: &str,
    url: &Url,
    mut known: Vec<String>,
    round: &mut Round,
    now: SystemTime,
) {
    let now = since_epoch_ms(now);
    // The instance while its name cannot be looked up.
    let by_name = address(url);
    let answers = match round {
        Ok(answers) => answers,
        Err(_) => {
            if known.is_empty() {
                known.push(by_name);
            }
            for address in known {
                store.scrape_failed(&labels(target, &address), now, Duration::ZERO);
            }
            return;
        }
    };
    for answer in answers.iter_mut() {
        store_answer(store, target, answer);
    }
    known.push(by_name);
    known.retain(|address| answers.iter().all(|answer| answer.address != *address));
    for address in known {
        store.end(&labels(target, &address), now);
    }
}

fn store_answer(store: &Store, target: &str, answer: &mut Answer) {
    let (labels, at_ms) = (labels(target, &answer.address), since_epoch_ms(answer.at));
    let text = match &answer.text {
        Ok(text) => str::from_utf8(text).map_err(|_| "answered no UTF-8".to_owned()),
        Err(error) => Err(error.clone()),
    };
    match text.map(|text| store.scrape(&labels, at_ms, answer.took, text)) {
        // That the clock was set back is not the target's fault; the store counts it.
        Ok(Ok(_) | Err(ScrapeError::Order)) => {}
        Ok(Err(error)) => answer.text = Err(format!("answered what cannot be stored: {error}")),
        Err(error) => {
            store.scrape_failed(&labels, at_ms, answer.took);
            answer.text = Err(error);
        }
    }
}

/// The labels that every series of an instance gets, as Prometheus is configured in `deploy/`.
pub(super) fn labels(target: &str, address: &str) -> Labels {
    let service = service_of(target);
    Labels::from([("job", service), ("service", service), ("instance", address)])
}

/// The host and port of a URL.
pub(super) fn address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

fn since_epoch_ms(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use timeseries::Options;

    use super::*;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    /// The instances that have a value of `up`, with it.
    fn up(store: &Store, second: u64) -> String {
        let query = promql::Query::parse("up").unwrap();
        let options = promql::Options::default();
        let value = query.instant(store, since_epoch_ms(at(second)), &options).unwrap();
        let promql::Value::Vector(up) = value else { panic!("{value:?}") };
        let one = |(labels, sample): &(Labels, promql::Sample)| {
            format!("{} {}", labels.get("instance"), sample.value)
        };
        let mut up: Vec<_> = up.iter().map(one).collect();
        up.sort();
        up.join(", ")
    }

    fn orders(store: &Store, second: u64, known: &[&str], mut round: Round) -> Round {
        let known = known.iter().map(|address| (*address).to_owned()).collect();
        let url = Url::parse("http://orders:8081/metrics").unwrap();
        for answer in round.iter_mut().flatten() {
            answer.at = at(second);
        }
        super::store(store, "orders_2", &url, known, &mut round, at(second));
        round
    }

    #[test]
    fn instances_are_up_while_they_answer_and_end_when_they_are_gone() {
        let store = Store::new(Options::default());
        let says = |address: &str| Answer::now(address, Ok(Bytes::from("handled 1\n")));
        orders(&store, 1, &[], Err("no such name".into())).unwrap_err();
        assert_eq!(up(&store, 1), "orders:8081 0");
        orders(&store, 3, &[], Ok(vec![says("10.0.0.1:1"), says("10.0.0.2:1")])).unwrap();
        assert_eq!(up(&store, 3), "10.0.0.1:1 1, 10.0.0.2:1 1");

        let malformed = Answer::now("10.0.0.1:1", Ok(Bytes::from("handled one\n")));
        let known = ["10.0.0.1:1", "10.0.0.2:1"];
        let round = orders(&store, 5, &known, Ok(vec![malformed])).unwrap();
        assert!(round[0].text.as_ref().unwrap_err().contains("line 1: expected a value"));
        assert_eq!(up(&store, 5), "10.0.0.1:1 0");
        orders(&store, 7, &["10.0.0.1:1"], Err("no answer".into())).unwrap_err();
        assert_eq!(up(&store, 7), "10.0.0.1:1 0");
    }

    #[test]
    fn replicas_have_their_services_name() {
        let labels = labels("orders_2", "127.0.0.1:9001");
        assert_eq!(
            labels.to_string(),
            r#"{instance="127.0.0.1:9001", job="orders", service="orders"}"#
        );
    }
}
