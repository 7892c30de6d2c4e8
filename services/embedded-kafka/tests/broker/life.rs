//! Start, pause, stop.

use embedded_kafka::{Broker, Retention, Settings, Topic};
use kafka_protocol::messages::MetadataRequest;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::wire::Wire;

async fn broker() -> Broker {
    let topic = Topic { name: "teapots".into(), partitions: 3, retention: Retention::Consumed };
    let settings = Settings { topics: vec![topic], ..Settings::default() };
    Broker::start(([127, 0, 0, 1], 0).into(), settings).await.unwrap()
}

// The client blocks a thread, and the broker needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_the_settings_exists_with_its_partitions() {
    let broker = broker().await;
    let mut wire = Wire::connect(broker.address()).unwrap();
    let every_topic = MetadataRequest::default().with_topics(None);
    let topics = wire.call(9, &every_topic).unwrap().topics;
    let found: Vec<_> = topics
        .iter()
        .map(|topic| (topic.name.as_ref().unwrap().as_str(), topic.partitions.len()))
        .collect();
    assert_eq!(found, [("teapots", 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_broker_closes_connections_until_it_is_resumed() {
    let broker = broker().await;
    let is_served = || Wire::connect(broker.address()).is_ok_and(|mut wire| wire.is_served());
    let mut connected = Wire::connect(broker.address()).unwrap();
    assert!(connected.is_served());
    broker.pause();
    // The broker may answer a few requests before it notices.
    let closed = (0..1_000).any(|_| !connected.is_served());
    assert!(closed, "a paused broker answered a thousand requests");
    assert!(!is_served());
    broker.resume();
    let served = (0..1_000).any(|_| is_served());
    assert!(served, "a resumed broker closed a thousand connections");
}

#[tokio::test]
async fn the_port_of_a_stopped_broker_is_free_and_its_connections_are_closed() {
    let first = broker().await;
    let address = first.address();
    let mut connected = TcpStream::connect(address).await.unwrap();
    assert!(Broker::start(address, Settings::default()).await.is_err());
    first.stop().await;
    let closed = connected.read(&mut [0]).await;
    assert!(matches!(closed, Ok(0) | Err(_)));
    Broker::start(address, Settings::default()).await.unwrap();
}
