//! Where all sessions meet: it keeps the subscriptions and routes messages to them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc,
        atomic::{
            AtomicU64, AtomicUsize,
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
use embedded_limits::{LogLimit, MemoryBudget};

/// The memory for large messages while they are received.
const IN_FLIGHT: usize = 16 << 20;
/// The bytes that a token of a subject takes in the tree: a table with room for three entries, and its text.
const TOKEN: usize = 256;

/// The limit of subscriptions is reached.
#[derive(Debug)]
pub(super) struct TooMany;

/// One connection, as the other sessions see it.
pub(super) struct Client {
    id: u64,
    pub(super) outbox: Outbox,
    pub(super) options: RwLock<Options>,
    subscriptions: Mutex<HashMap<String, Arc<Subscription>>>,
    /// Notified when the client is a slow consumer and its connection must end.
    pub(super) cut: Notify,
}

pub(super) struct Subscription {
    client: Arc<Client>,
    id: String,
    subject: String,
    queue: Option<String>,
    delivered: AtomicU64,
    /// The subscription ends by itself after this many deliveries.
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

/// The outcome of routing a message.
pub(super) enum Routed {
    NoReceiver,
    Delivered,
    /// Delivered, but this client's outbox is filling up.
    Crowded(Arc<Client>),
}

pub(super) struct Hub {
    pub(super) limits: Limits,
    pub(super) log_limit: LogLimit,
    /// The memory for messages that are being received.
    pub(super) memory: Arc<MemoryBudget>,
    /// The bytes that are pending for all clients.
    pending: Arc<AtomicUsize>,
    clients: Mutex<HashMap<u64, Arc<Client>>>,
    /// The bytes that all subscriptions take.
    subscribed: AtomicUsize,
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
        Self {
            limits,
            log_limit: LogLimit::default(),
            memory: MemoryBudget::new(IN_FLIGHT),
            pending: Arc::default(),
            clients: Mutex::default(),
            subscribed: AtomicUsize::default(),
            subscriptions: RwLock::default(),
            counters: Counters::default(),
        }
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            connections: self.counters.connections.load(Relaxed),
            subscriptions: self.counters.subscriptions.load(Relaxed),
            messages_in: self.counters.messages_in.load(Relaxed),
            bytes_in: self.counters.bytes_in.load(Relaxed),
            messages_out: self.counters.messages_out.load(Relaxed),
            bytes_out: self.counters.bytes_out.load(Relaxed),
            pending_bytes: self.pending.load(Relaxed) as u64,
            slow_consumers: self.counters.slow_consumers.load(Relaxed),
        }
    }

    pub(super) fn join(&self, id: u64) -> Arc<Client> {
        self.counters.connections.fetch_add(1, Relaxed);
        let client = Arc::new(Client {
            id,
            outbox: Outbox::new(self.limits.max_pending, Arc::clone(&self.pending)),
            options: RwLock::default(),
            subscriptions: Mutex::default(),
            cut: Notify::new(),
        });
        self.clients.lock().insert(id, Arc::clone(&client));
        client
    }

    pub(super) fn leave(&self, client: &Client) {
        client.outbox.close();
        self.clients.lock().remove(&client.id);
        let subscriptions: Vec<_> = client.subscriptions.lock().values().cloned().collect();
        for subscription in subscriptions {
            self.end(&subscription);
        }
        self.counters.connections.fetch_sub(1, Relaxed);
    }

    /// Ends the connection of a client that does not read.
    pub(super) fn cut(&self, client: &Client) {
        if client.outbox.discard() {
            self.counters.slow_consumers.fetch_add(1, Relaxed);
            if let Some(suppressed) = self.log_limit.allow() {
                tracing::warn!(
                    client = client.id,
                    suppressed,
                    "a NATS client does not read what it subscribed to, and is cut off"
                );
            }
            client.cut.notify_one();
        }
    }

    /// If too much is pending for all clients together, ends the connection of the client with the most.
    fn cut_slowest(&self) {
        if self.pending.load(Relaxed) <= self.limits.max_pending_of_all {
            return;
        }
        let clients = self.clients.lock();
        let open = clients.values().filter(|client| client.outbox.is_open());
        let slowest = open.max_by_key(|client| client.outbox.len()).cloned();
        drop(clients);
        if let Some(slowest) = slowest {
            self.cut(&slowest);
        }
    }

    /// Adds a subscription; like nats-server, ignores a second one with the same id.
    pub(super) fn subscribe(
        &self,
        client: &Arc<Client>,
        subject: &str,
        queue: Option<&str>,
        id: &str,
    ) -> Result<(), TooMany> {
        let mut subscriptions = client.subscriptions.lock();
        let Entry::Vacant(place) = subscriptions.entry(id.to_owned()) else { return Ok(()) };
        let size = cost(subject, queue, id);
        if self.subscribed.fetch_add(size, Relaxed) + size > self.limits.max_subscriptions {
            self.subscribed.fetch_sub(size, Relaxed);
            return Err(TooMany);
        }
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
        Ok(())
    }

    /// Ends a subscription: at once, or after this many messages since it began.
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
            let Subscription { subject, queue, id, .. } = &**subscription;
            self.subscribed.fetch_sub(cost(subject, queue.as_deref(), id), Relaxed);
        }
    }

    /// Delivers the message to every plain subscriber and to one member of each queue group.
    pub(super) fn publish(&self, from: &Client, message: &Message<'_>) -> Routed {
        self.counters.messages_in.fetch_add(1, Relaxed);
        self.counters.bytes_in.fetch_add(message.body.len() as u64, Relaxed);
        let echo = from.options.read().echo;
        self.send(message, |mut found| {
            found.retain(|subscription| echo || subscription.client.id != from.id);
            one_of_each_group(found)
        })
    }

    /// Sends "no responders" to the client that made the request, and to no other subscriber of its reply subject.
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
        let mut routed = Routed::NoReceiver;
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
            } else if matches!(routed, Routed::NoReceiver) {
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
        self.cut_slowest();
        level
    }
}

/// The bytes that a subscription takes: every token of its subject may be a node of the tree.
fn cost(subject: &str, queue: Option<&str>, id: &str) -> usize {
    let texts = subject.len() + queue.map_or(0, str::len) + 2 * id.len();
    size_of::<Subscription>() + texts + subject.split('.').count() * TOKEN
}

/// Picks at random, not in turn: taking turns over several subjects can give one member all messages of one subject.
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
