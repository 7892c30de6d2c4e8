//! Where all sessions meet: who is subscribed to what, and who gets a message.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use parking_lot::{Mutex, RwLock};
use rand::seq::IndexedRandom;
use tokio::sync::Notify;

use super::{
    Limits, Statistics,
    outbox::{Level, Outbox},
    protocol::{Message, NO_RESPONDERS, Options},
    subjects::Tree,
};

/// One connection, as the others see it.
pub(super) struct Client {
    id: u64,
    pub(super) outbox: Outbox,
    pub(super) options: RwLock<Options>,
    subscriptions: Mutex<HashMap<String, Arc<Subscription>>>,
    /// It is a slow consumer and its connection must end.
    pub(super) cut: Notify,
}

pub(super) struct Subscription {
    client: Arc<Client>,
    id: String,
    subject: String,
    queue: Option<String>,
    delivered: AtomicU64,
    /// It ends by itself after so many deliveries.
    most: AtomicU64,
}

/// Whether a subscription still takes a message.
enum Claim {
    Refused,
    Taken,
    Last,
}

impl Subscription {
    fn claim(&self) -> Claim {
        let before = self.delivered.fetch_add(1, SeqCst);
        match self.most.load(SeqCst) {
            most if before >= most => Claim::Refused,
            most if before + 1 == most => Claim::Last,
            _ => Claim::Taken,
        }
    }
}

/// What became of a message.
pub(super) enum Routed {
    Nobody,
    Delivered,
    /// Delivered, but this client's outbox is filling up.
    Crowded(Arc<Client>),
}

pub(super) struct Hub {
    pub(super) limits: Limits,
    subscriptions: RwLock<Tree<Arc<Subscription>>>,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    subscriptions: AtomicU64,
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_out: AtomicU64,
    slow_consumers: AtomicU64,
}

impl Hub {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, subscriptions: RwLock::default(), counters: Counters::default() }
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.counters.connections.load(Relaxed),
            subscriptions: self.counters.subscriptions.load(Relaxed),
            messages_in: self.counters.messages_in.load(Relaxed),
            bytes_in: self.counters.bytes_in.load(Relaxed),
            messages_out: self.counters.messages_out.load(Relaxed),
            bytes_out: self.counters.bytes_out.load(Relaxed),
            slow_consumers: self.counters.slow_consumers.load(Relaxed),
        }
    }

    pub(super) fn join(&self, id: u64) -> Arc<Client> {
        self.counters.connections.fetch_add(1, Relaxed);
        Arc::new(Client {
            id,
            outbox: Outbox::new(self.limits.max_pending),
            options: RwLock::default(),
            subscriptions: Mutex::default(),
            cut: Notify::new(),
        })
    }

    pub(super) fn leave(&self, client: &Client) {
        client.outbox.close();
        let subscriptions: Vec<_> = client.subscriptions.lock().values().cloned().collect();
        for subscription in subscriptions {
            self.end(&subscription);
        }
        self.counters.connections.fetch_sub(1, Relaxed);
    }

    /// Ends the connection of a client that does not read.
    pub(super) fn cut(&self, client: &Client) {
        if client.outbox.close() {
            self.counters.slow_consumers.fetch_add(1, Relaxed);
            tracing::warn!(
                client = client.id,
                "a NATS client does not read what it subscribed to, and is cut off"
            );
            client.cut.notify_one();
        }
    }

    /// As nats-server, ignores a second subscription with the same id.
    pub(super) fn subscribe(
        &self,
        client: &Arc<Client>,
        subject: &str,
        queue: Option<&str>,
        id: &str,
    ) {
        let mut subscriptions = client.subscriptions.lock();
        let Entry::Vacant(place) = subscriptions.entry(id.to_owned()) else { return };
        let subscription = Arc::new(Subscription {
            client: Arc::clone(client),
            id: id.to_owned(),
            subject: subject.to_owned(),
            queue: queue.map(str::to_owned),
            delivered: AtomicU64::new(0),
            most: AtomicU64::new(u64::MAX),
        });
        place.insert(Arc::clone(&subscription));
        self.subscriptions.write().insert(subject, subscription);
        self.counters.subscriptions.fetch_add(1, Relaxed);
    }

    /// At once, or after so many messages since it was made.
    pub(super) fn unsubscribe(&self, client: &Client, id: &str, after: Option<u64>) {
        let Some(subscription) = client.subscriptions.lock().get(id).cloned() else { return };
        let most = after.unwrap_or(0);
        subscription.most.store(most, SeqCst);
        if subscription.delivered.load(SeqCst) >= most {
            self.end(&subscription);
        }
    }

    fn end(&self, subscription: &Arc<Subscription>) {
        if subscription.client.subscriptions.lock().remove(&subscription.id).is_some() {
            self.subscriptions
                .write()
                .remove(&subscription.subject, |other| Arc::ptr_eq(other, subscription));
            self.counters.subscriptions.fetch_sub(1, Relaxed);
        }
    }

    /// Hands the message to every plain subscriber and to one member of each queue group.
    pub(super) fn publish(&self, from: &Client, message: &Message<'_>) -> Routed {
        self.counters.messages_in.fetch_add(1, Relaxed);
        self.counters.bytes_in.fetch_add(message.body.len() as u64, Relaxed);
        let echo = from.options.read().echo;
        self.send(message, |mut found| {
            found.retain(|subscription| echo || subscription.client.id != from.id);
            one_of_each_group(found)
        })
    }

    /// Tells who asked, and nobody else, that nobody serves what it asked for.
    pub(super) fn refuse(&self, client: &Client, reply: &str) {
        let headers = Some(NO_RESPONDERS.len());
        let refusal = Message { subject: reply, reply: None, headers, body: NO_RESPONDERS };
        self.send(&refusal, |mut found| {
            found.retain(|subscription| subscription.client.id == client.id);
            found
        });
    }

    fn send<C>(&self, message: &Message<'_>, choose: C) -> Routed
    where
        C: for<'a> FnOnce(Vec<&'a Arc<Subscription>>) -> Vec<&'a Arc<Subscription>>,
    {
        let mut routed = Routed::Nobody;
        let mut ended = Vec::new();
        let subscriptions = self.subscriptions.read();
        for subscription in choose(subscriptions.find(message.subject)) {
            match subscription.claim() {
                Claim::Refused => continue,
                Claim::Taken => {}
                Claim::Last => ended.push(Arc::clone(subscription)),
            }
            if self.deliver(subscription, message) == Level::High {
                routed = Routed::Crowded(Arc::clone(&subscription.client));
            } else if matches!(routed, Routed::Nobody) {
                routed = Routed::Delivered;
            }
        }
        drop(subscriptions);
        for subscription in ended {
            self.end(&subscription);
        }
        routed
    }

    fn deliver(&self, subscription: &Subscription, message: &Message<'_>) -> Level {
        let client = &subscription.client;
        let with_headers = client.options.read().headers;
        let level =
            client.outbox.put(|buffer| message.write(&subscription.id, with_headers, buffer));
        self.counters.messages_out.fetch_add(1, Relaxed);
        self.counters.bytes_out.fetch_add(message.body.len() as u64, Relaxed);
        if level == Level::Overflow {
            self.cut(client);
        }
        level
    }
}

/// By chance, not in turn: taking turns over several subjects can give one member all of one subject.
fn one_of_each_group(found: Vec<&Arc<Subscription>>) -> Vec<&Arc<Subscription>> {
    let (grouped, mut chosen): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|subscription| subscription.queue.is_some());
    let mut groups: Vec<(Option<&str>, Vec<&Arc<Subscription>>)> = Vec::new();
    for member in grouped {
        let name = member.queue.as_deref();
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, members)) => members.push(member),
            None => groups.push((name, vec![member])),
        }
    }
    chosen.extend(groups.iter().filter_map(|(_, members)| members.choose(&mut rand::rng())));
    chosen
}
