//! One WebSocket, from `hello` to its end.

use std::{
    convert::Infallible,
    future,
    time::{Duration, SystemTime},
};

use chassis::{
    deadline,
    http::websocket::{Budget, Rate, WebSocket},
};
use proto::values::{CustomerId, OrderId};
use tokio::time::{Instant, sleep_until};

use super::{
    Sockets,
    batch::Batch,
    endings::End,
    messages::{ClientLimits, ClientMessage, Delivery, GapReason, Position, ServerMessage, Target},
    refusal::{Refusal, parse},
    subscriptions::{Scope, Subscription, Subscriptions},
};
use crate::{
    hub::{Member, What},
    inbound::rest::problems::refused,
    resources::{Order, OrderUpdate},
};

/// How often a client may send a message: far more than a page does.
const RATE: Rate = Rate { per_second: 20, burst: 60 };
/// How many refused messages a client may send: a mistake in a loop should end.
const REFUSALS: Rate = Rate { per_second: 1, burst: 60 };
/// The shortest time between two messages with updates: a browser draws 60 times a second.
const PACE: Duration = Duration::from_millis(16);
/// The most entries that are read from the ring at once, ...
const ENTRIES: usize = 256;
/// ... and the length of a message, in bytes, after which the next update begins a new one.
const LONG: usize = 32 * 1024;
/// A read of an order that takes longer is given up.
const READ: Duration = Duration::from_secs(2);

/// The server's end of one WebSocket.
pub(super) struct Session {
    sockets: Sockets,
    customer: CustomerId,
    member: Member,
    subscriptions: Subscriptions,
    /// The number of the last entry of the ring that was read.
    position: u64,
    next_updates: Instant,
    idle_at: Instant,
    rate: Budget,
    refusals: Budget,
}

enum Wake {
    Message(chassis::http::websocket::Utf8Bytes),
    Updates,
}

impl Session {
    pub(super) fn new(sockets: Sockets, customer: CustomerId, member: Member) -> Self {
        let now = Instant::now();
        Self {
            idle_at: now + sockets.config.idle,
            position: member.newest(),
            sockets,
            customer,
            member,
            subscriptions: Subscriptions::default(),
            next_updates: now,
            rate: Budget::new(RATE, now),
            refusals: Budget::new(REFUSALS, now),
        }
    }

    /// Serves the client; returns why it ended.
    pub(super) async fn serve(&mut self, socket: &mut WebSocket) -> End {
        match self.until_end(socket).await {
            Err(end) => end,
            Ok(never) => match never {},
        }
    }

    async fn until_end(&mut self, socket: &mut WebSocket) -> Result<Infallible, End> {
        self.send(socket, &self.hello()).await?;
        loop {
            let idle = self.subscriptions.is_empty();
            let wake = tokio::select! {
                biased;
                () = self.sockets.draining.cancelled() => return Err(End::Draining),
                text = socket.receive() => Wake::Message(text?),
                () = self.updates() => Wake::Updates,
                () = sleep_until(self.idle_at), if idle => {
                    return Err(End::Idle(self.sockets.config.idle));
                }
            };
            match wake {
                Wake::Updates => self.send_updates(socket).await?,
                Wake::Message(text) => {
                    if let Err(refusal) = self.answer(socket, &text).await? {
                        self.refuse(socket, refusal).await?;
                    }
                }
            }
        }
    }

    fn hello(&self) -> ServerMessage {
        let config = &self.sockets.config;
        let limits = ClientLimits {
            subscriptions: config.subscriptions,
            message_bytes: super::LONGEST_MESSAGE,
            messages_per_second: RATE.per_second,
            idle_ms: u64::try_from(config.idle.as_millis()).unwrap_or(u64::MAX),
        };
        let (epoch, seq) = (self.member.epoch().to_owned(), self.member.newest());
        ServerMessage::Hello { epoch, seq, now_ms: now_ms(), limits }
    }

    /// Returns when updates are to be sent.
    async fn updates(&self) {
        if self.subscriptions.is_empty() {
            return future::pending().await;
        }
        self.member.after(self.position).await;
        sleep_until(self.next_updates).await;
    }

    async fn answer(
        &mut self,
        socket: &mut WebSocket,
        text: &str,
    ) -> Result<Result<(), Refusal>, End> {
        if !self.rate.take(Instant::now()) {
            return Ok(Err(Refusal::rate(RATE.per_second)));
        }
        let message = match parse(text) {
            Ok(message) => message,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match message {
            ClientMessage::Ping { id } => {
                let seq = if self.subscriptions.is_empty() {
                    self.member.newest()
                } else {
                    self.position
                };
                self.send(socket, &ServerMessage::Pong { id, now_ms: now_ms(), seq }).await?;
            }
            ClientMessage::Unsubscribe { id } => {
                if !self.subscriptions.remove(&id) {
                    return Ok(Err(Refusal::unknown(&id)));
                }
                if self.subscriptions.is_empty() {
                    self.idle_at = Instant::now() + self.sockets.config.idle;
                }
                self.send(socket, &ServerMessage::Unsubscribed { id }).await?;
            }
            ClientMessage::Subscribe { id, to, after } => {
                return self.subscribe(socket, id, to, after).await;
            }
        }
        Ok(Ok(()))
    }

    async fn refuse(&mut self, socket: &mut WebSocket, refusal: Refusal) -> Result<(), End> {
        let Refusal { label, id, problem } = refusal;
        self.sockets.metrics.websocket_refused_total.with_label_values(&[label]).inc();
        self.send(socket, &ServerMessage::Error { id, problem }).await?;
        if self.refusals.take(Instant::now()) { Ok(()) } else { Err(End::Unruly) }
    }

    /// Sends what the client lacks, and then `subscribed`.
    async fn subscribe(
        &mut self,
        socket: &mut WebSocket,
        id: String,
        to: Target,
        after: Option<Position>,
    ) -> Result<Result<(), Refusal>, End> {
        let scope = match self.scope(&id, to) {
            Ok(scope) => scope,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let is_filled = self.member.is_filled().await;
        if self.subscriptions.is_empty() {
            self.position = self.member.newest();
        } else {
            // What follows is older than what the other subscriptions wait for.
            self.send_updates(socket).await?;
        }
        let mut subscription = Subscription::new(id.clone(), scope, self.position);
        let continues = after.is_some();
        let mut gap = match after {
            Some(after) => self.send_missed(socket, &mut subscription, after).await?,
            None => None,
        };
        if !is_filled {
            gap = gap.or(Some(GapReason::Lapse));
        }
        if let Some(reason) = gap {
            self.send_gap(socket, vec![id.clone()], reason, self.position).await?;
        }
        if let Scope::Order(order) = &subscription.scope
            && (gap.is_some() || !continues)
        {
            match self.read(&order.clone()).await {
                Ok(order) => self.send_history(socket, &mut subscription, &order).await?,
                Err(refusal) => return Ok(Err(refusal.of(&id))),
            }
        }
        self.subscriptions.add(subscription);
        self.send(socket, &ServerMessage::Subscribed { id, seq: self.position }).await?;
        Ok(Ok(()))
    }

    fn scope(&self, id: &str, to: Target) -> Result<Scope, Refusal> {
        if self.subscriptions.has(id) {
            return Err(Refusal::duplicate(id));
        }
        let most = self.sockets.config.subscriptions;
        if self.subscriptions.len() >= most {
            return Err(Refusal::subscriptions(most).of(id));
        }
        let field = match &to {
            Target::Order(_) => "to.order",
            Target::Customer(_) => "to.customer",
            Target::Everything(_) => "to.everything",
        };
        Scope::try_from(to).map_err(|complaint| Refusal::invalid(id, field, complaint))
    }

    /// Sends the updates between the client's last one and the present position; returns why some are missing, if they are.
    async fn send_missed(
        &self,
        socket: &mut WebSocket,
        subscription: &mut Subscription,
        after: Position,
    ) -> Result<Option<GapReason>, End> {
        if after.epoch != self.member.epoch() {
            return Ok(Some(GapReason::OtherProcess));
        }
        let (mut seq, mut gap) = (after.seq, None);
        loop {
            let Some(entries) = self.member.read(seq, ENTRIES) else {
                return Ok(Some(GapReason::TooOld));
            };
            let mut batch = Batch::default();
            for entry in entries.iter().take_while(|entry| entry.seq <= self.position) {
                seq = entry.seq;
                match &entry.what {
                    What::Lapse => gap = Some(GapReason::Lapse),
                    What::Update(update) if subscription.takes(update) => {
                        batch.add(&[&subscription.id], &update.fields);
                    }
                    What::Update(_) => {}
                }
            }
            self.send_batch(socket, batch).await?;
            if seq >= self.position || entries.is_empty() {
                return Ok(gap);
            }
        }
    }

    /// Sends the updates up to the newest one.
    async fn send_updates(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let newest = self.member.newest();
        while self.position < newest {
            let entries = self.member.read(self.position, ENTRIES).ok_or(End::Slow)?;
            let mut batch = Batch::default();
            for entry in entries {
                self.position = entry.seq;
                match entry.what {
                    What::Update(update) => {
                        batch.add(&self.subscriptions.takers(entry.seq, &update), &update.fields);
                        if batch.len() >= LONG {
                            self.send_batch(socket, std::mem::take(&mut batch)).await?;
                        }
                    }
                    What::Lapse => {
                        self.send_batch(socket, std::mem::take(&mut batch)).await?;
                        let ids = self.subscriptions.lapsed(entry.seq);
                        self.send_gap(socket, ids, GapReason::Lapse, entry.seq).await?;
                    }
                }
            }
            self.send_batch(socket, batch).await?;
            self.read_stale(socket).await?;
        }
        self.next_updates = Instant::now() + PACE;
        Ok(())
    }

    /// Reads the orders whose statuses are missing, and sends these.
    async fn read_stale(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        loop {
            let Some(stale) = self.subscriptions.stale() else { return Ok(()) };
            stale.stale = false;
            let Scope::Order(order) = stale.scope.clone() else { continue };
            let mut subscription = std::mem::replace(
                stale,
                Subscription::new(String::new(), Scope::Everything, u64::MAX),
            );
            let read = self.read(&order).await;
            let sent = match read {
                Ok(order) => self.send_history(socket, &mut subscription, &order).await,
                Err(_) => {
                    subscription.cursor = None;
                    let ids = vec![subscription.id.clone()];
                    self.send_gap(socket, ids, GapReason::Lapse, self.position).await
                }
            };
            sent?;
            self.subscriptions.remove("");
            self.subscriptions.add(subscription);
        }
    }

    async fn read(&self, order: &OrderId) -> Result<Order, Refusal> {
        let read = deadline::within(READ, self.sockets.orders.get(&self.customer, order)).await;
        read.flatten().map_err(|error| {
            let problem = Box::new(refused(error));
            Refusal { label: "failed", id: None, problem }
        })
    }

    /// Sends the statuses of an order that were not sent yet.
    async fn send_history(
        &self,
        socket: &mut WebSocket,
        subscription: &mut Subscription,
        order: &Order,
    ) -> Result<(), End> {
        let mut cursor = subscription.cursor.unwrap_or_default();
        let mut updates = Vec::new();
        for (revision, step) in (1..).zip(&order.history) {
            if !cursor.has_sent(revision) {
                cursor.advance(revision);
                let ids = vec![subscription.id.clone()];
                updates.push(Delivery { ids, update: OrderUpdate::of(order, step, revision) });
            }
        }
        subscription.cursor = Some(cursor);
        if updates.is_empty() {
            return Ok(());
        }
        self.count_updates(updates.len() as u64);
        self.send(socket, &ServerMessage::Updates { updates }).await
    }

    async fn send_gap(
        &self,
        socket: &mut WebSocket,
        ids: Vec<String>,
        reason: GapReason,
        seq: u64,
    ) -> Result<(), End> {
        if ids.is_empty() {
            return Ok(());
        }
        self.sockets.metrics.websocket_gaps_total.with_label_values(&[reason.as_str()]).inc();
        let advice = reason.advice().to_owned();
        self.send(socket, &ServerMessage::Gap { ids, reason, advice, seq }).await
    }

    async fn send_batch(&self, socket: &mut WebSocket, batch: Batch) -> Result<(), End> {
        let Some((text, updates)) = batch.finish() else { return Ok(()) };
        self.count_updates(updates);
        self.send_text(socket, text).await
    }

    fn count_updates(&self, updates: u64) {
        self.sockets.metrics.websocket_updates_sent_total.inc_by(updates);
    }

    async fn send(&self, socket: &mut WebSocket, message: &ServerMessage) -> Result<(), End> {
        // Structs of texts and numbers can always be serialized.
        self.send_text(socket, serde_json::to_string(message).unwrap_or_default()).await
    }

    async fn send_text(&self, socket: &mut WebSocket, text: String) -> Result<(), End> {
        self.sockets.metrics.websocket_messages_sent_total.inc();
        Ok(socket.send(text).await?)
    }
}

fn now_ms() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as f64 / 1000.0
}
