//! Tests of a cache against a server that speaks the part of the Redis protocol that the cache uses.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::*;
use crate::Kind;

#[derive(Default)]
struct Server {
    values: Mutex<HashMap<String, Vec<u8>>>,
    silent: AtomicBool,
    asked: AtomicUsize,
}

impl Server {
    async fn start(tasks: &mut JoinSet<()>) -> (Arc<Self>, SocketAddr) {
        Self::start_at(([127, 0, 0, 1], 0).into(), tasks).await
    }

    async fn start_at(address: SocketAddr, tasks: &mut JoinSet<()>) -> (Arc<Self>, SocketAddr) {
        let listener = TcpListener::bind(address).await.unwrap();
        let (address, server) = (listener.local_addr().unwrap(), Arc::<Self>::default());
        let here = Arc::clone(&server);
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let server = Arc::clone(&here);
                sessions.spawn(async move { server.session(stream).await.unwrap_or_default() });
            }
        });
        (server, address)
    }

    /// Reads requests, which are arrays of bulk strings: <https://redis.io/docs/latest/develop/reference/protocol-spec/>
    async fn session(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut words = Vec::new();
            for _ in 0..number(&mut stream).await? {
                let mut word = vec![0; number(&mut stream).await? + 2];
                stream.read_exact(&mut word).await.ok()?;
                word.truncate(word.len() - 2);
                words.push(word);
            }
            if self.silent.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            stream.write_all(&self.answer(&words)).await.ok()?;
        }
    }

    fn answer(&self, words: &[Vec<u8>]) -> Vec<u8> {
        let text = |index: usize| String::from_utf8(words[index].clone()).unwrap();
        match &*text(0) {
            "GET" => {
                self.asked.fetch_add(1, Ordering::Relaxed);
                match self.values.lock().get(&text(1)) {
                    Some(value) => {
                        [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
                    }
                    None => b"$-1\r\n".to_vec(),
                }
            }
            "SET" => {
                assert_eq!((text(3), text(4)), ("PX".into(), "30000".into()));
                self.values.lock().insert(text(1), words[2].clone());
                b"+OK\r\n".to_vec()
            }
            _ => b"+OK\r\n".to_vec(),
        }
    }
}

async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim().parse().ok()
}

fn open(settings: &Settings, registry: &Registry) -> anyhow::Result<Caches> {
    let readiness = Readiness::new(registry).unwrap();
    Caches::open("shop", settings, registry, &readiness, || breaker::Metrics::register(registry))
}

/// Caches with a time limit that the server meets however busy the machine is.
fn caches(url: &str) -> (Caches, Registry) {
    caches_within(url, Duration::from_secs(60))
}

fn caches_within(url: &str, timeout: Duration) -> (Caches, Registry) {
    let registry = Registry::new();
    let settings = Settings { url: url.into(), timeout, ..Settings::default() };
    (open(&settings, &registry).unwrap(), registry)
}

fn cups(caches: &Caches) -> Cache<String, usize> {
    caches.cache("cups", 10, Duration::from_secs(30))
}

async fn load(value: usize) -> Result<usize, Error> {
    Ok(value)
}

fn counts(registry: &Registry) -> [u64; 3] {
    let text = registry.text();
    ["hit", "miss", "error"].map(|outcome| {
        let series =
            format!("mesh_cache_operations_total{{cache=\"cups\",outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    })
}

/// How many calls the circuit breaker rejected.
fn rejections(registry: &Registry) -> u64 {
    let text = registry.text();
    let series = "mesh_breaker_rejections_total{destination=\"redis\"} ";
    text.lines().find_map(|line| line.strip_prefix(series)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_everybody_wants_is_loaded_once() {
    let mut tasks = JoinSet::new();
    let (server, address) = Server::start(&mut tasks).await;
    for url in [String::new(), format!("redis://{address}")] {
        let (caches, registry) = caches(&url);
        let (cache, loads) = (cups(&caches), AtomicUsize::new(0));
        let ask = || {
            cache.get("assam".to_owned(), async {
                tokio::task::yield_now().await;
                load(loads.fetch_add(1, Ordering::Relaxed)).await
            })
        };
        let answers = futures::future::join_all((0..50).map(|_| ask())).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == 0), "{url:?}");
        assert_eq!(counts(&registry), [49, 1, 0], "{url:?}");
    }
    assert_eq!(server.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_failure_is_told_and_forgotten() {
    let (caches, _) = caches("");
    let cache = cups(&caches);
    let failed = cache
        .get("assam".to_owned(), async { Err(Error::new(Kind::Unavailable, "the database")) })
        .await;
    assert_eq!(failed.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(cache.get("assam".to_owned(), load(7)).await.unwrap(), 7);
}

#[tokio::test]
async fn what_one_replica_has_loaded_another_finds() {
    let mut tasks = JoinSet::new();
    let (server, address) = Server::start(&mut tasks).await;
    let ((one, _), (other, registry)) =
        (caches(&format!("redis://{address}")), caches(&format!("redis://{address}")));
    assert_eq!(cups(&one).get("assam".to_owned(), load(7)).await.unwrap(), 7);
    let cache = cups(&other);
    assert_eq!(cache.get("assam".to_owned(), load(8)).await.unwrap(), 7);
    let kept: Vec<_> = server.values.lock().drain().collect();
    assert_eq!(kept, [("shop:cups:\"assam\"".to_owned(), b"7".to_vec())]);
    tokio::time::sleep(10 * TOGETHER).await;
    assert_eq!(cache.get("assam".to_owned(), load(8)).await.unwrap(), 8, "nothing is kept here");
    assert_eq!(counts(&registry), [1, 1, 0]);
}

#[tokio::test]
async fn what_cannot_be_read_is_loaded_and_written_anew() {
    let mut tasks = JoinSet::new();
    let (server, address) = Server::start(&mut tasks).await;
    let name = "shop:cups:\"assam\"";
    server.values.lock().insert(name.to_owned(), b"{".to_vec());
    let (caches, _) = caches(&format!("redis://{address}"));
    assert_eq!(cups(&caches).get("assam".to_owned(), load(7)).await.unwrap(), 7);
    assert_eq!(server.values.lock()[name], b"7");
}

#[tokio::test]
async fn a_server_that_is_away_or_silent_costs_no_request() {
    let mut tasks = JoinSet::new();
    let (server, address) = Server::start(&mut tasks).await;
    server.silent.store(true, Ordering::Relaxed);
    let silent = [format!("redis://{address}"), format!("rediss://{address}")];
    for url in silent.into_iter().chain(["redis://127.0.0.1:1".to_owned()]) {
        let (caches, registry) = caches_within(&url, Settings::default().timeout);
        let cache = cups(&caches);
        for number in 0..30 {
            assert_eq!(cache.get(number.to_string(), load(number)).await.unwrap(), number);
        }
        assert_eq!(counts(&registry), [0, 0, 30], "{url}");
        assert!(registry.text().contains("mesh_breaker_state{destination=\"redis\"} 2\n"), "{url}");
        let rejected = rejections(&registry);
        cache.get("assam".to_owned(), load(7)).await.unwrap();
        assert!(rejections(&registry) > rejected, "{url}: it is left alone");
    }
}

#[test]
fn what_is_no_address_of_a_server_is_refused_without_being_repeated() {
    for wrong in
        ["http://valkey", "valkey:6379", "redis://", "redis://:hunter2@valkey:x", "redis:/", "?"]
    {
        let settings = serde_json::json!({ "url": wrong, "timeout": "50ms" });
        let error = serde_json::from_value::<Settings>(settings).unwrap_err().to_string();
        assert!(error.starts_with("not the address of a Redis server"), "{wrong}: {error}");
    }
    for right in ["", "redis://valkey", "redis://a:b@valkey:6379/3", "rediss://valkey:6380"] {
        let settings = serde_json::json!({ "url": right, "timeout": "50ms" });
        serde_json::from_value::<Settings>(settings).expect(right);
    }
}

#[test]
fn certificates_without_tls_and_half_of_a_pair_are_mistakes() {
    let own = Tls { ca: "pem".into(), ..Tls::default() };
    let half = Tls { certificate: "pem".into(), ..Tls::default() };
    for (url, tls, expected) in [
        ("redis://valkey:6379", own.clone(), "redis.url has no TLS"),
        ("rediss://valkey:6379", own, "redis.tls.ca holds no certificate"),
        ("rediss://valkey:6379", half, "redis.tls.certificate and redis.tls.key belong together"),
    ] {
        let settings = Settings { url: url.into(), tls, ..Settings::default() };
        let error = open(&settings, &Registry::new()).err().unwrap();
        assert!(error.to_string().contains(expected), "{error:#}");
    }
}

/// A server that refuses commands is also reported as a condition, not only guarded by the breaker.
#[tokio::test]
async fn a_server_that_cannot_be_used_degrades_the_service_until_it_can() {
    let mut tasks = JoinSet::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let (registry, url) = (Registry::new(), format!("redis://user:hunter2@{address}"));
    let readiness = Readiness::new(&registry).unwrap();
    let settings = Settings {
        url: url.as_str().into(),
        timeout: Duration::from_secs(60),
        ..Settings::default()
    };
    let breakers = || breaker::Metrics::register(&registry);
    let caches = Caches::open("shop", &settings, &registry, &readiness, breakers).unwrap();
    let cache = cups(&caches);
    cache.get("assam".to_owned(), load(7)).await.unwrap();
    let degraded = readiness.degraded();
    assert_eq!(degraded[0].name, "redis");
    assert!(degraded[0].reason.contains("refused"), "{degraded:?}");
    assert!(!degraded[0].reason.contains("hunter2"), "{degraded:?}");
    assert!(readiness.missing().is_empty(), "it works without it");

    let (_server, _) = Server::start_at(address, &mut tasks).await;
    for number in 0.. {
        cache.get(number.to_string(), load(number)).await.unwrap();
        if readiness.degraded().is_empty() {
            break;
        }
        assert!(number < 1000, "{:?}", readiness.degraded());
    }
}
