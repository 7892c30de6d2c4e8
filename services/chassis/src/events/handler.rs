//! What a service implements to handle events.

use super::Event;
use crate::{contract::Envelope, database::Tx};

/// Handles each event in one transaction, together with its inbox row and the events that it publishes.
///
/// ```
/// use chassis::{
///     Error,
///     contract::{Envelope, Topic},
///     database::Tx,
///     events::{Event, Handler},
/// };
///
/// /// Something happened to a cup. Generated code looks like this.
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct CupEvent {
///     #[prost(string, tag = "1")]
///     cup: String,
/// }
///
/// struct Cups;
///
/// impl Topic for Cups {
///     type Envelope = CupEvent;
///     const NAME: &'static str = "cups.events";
///
///     fn key(message: &CupEvent) -> &str {
///         &message.cup
///     }
/// }
///
/// impl Envelope for CupEvent {
///     type Topic = Cups;
///     const TYPES: &'static [&'static str] = &["tea.v1.CupFilled"];
///
///     fn event_type(&self) -> Option<&'static str> {
///         Some("tea.v1.CupFilled")
///     }
/// }
///
/// struct OnCup;
///
/// impl Handler for OnCup {
///     type Message = CupEvent;
///     type Error = Error;
///     const TYPES: &'static [&'static str] = &["tea.v1.CupFilled"];
///
///     async fn handle(&self, event: Event<CupEvent>, tx: &mut Tx) -> Result<(), Error> {
///         tx.query("insert into cups (id) values ($1)").bind(&event.body.cup).execute().await?;
///         Ok(())
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// The handler's error. Its kind decides whether the event is retried.
    type Error: Into<crate::Error> + Send;
    /// The event types that it handles. Others are skipped before they are decoded.
    const TYPES: &'static [&'static str];

    /// Applies the event. The transaction is committed afterwards, not here.
    fn handle(
        &self,
        event: Event<Self::Message>,
        tx: &mut Tx,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Calls a third party for each event, then handles the event in one transaction.
pub trait SideEffectHandler: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// The handler's error. Its kind decides whether the event is retried.
    type Error: Into<crate::Error> + Send;
    /// The third party's answer.
    type Answer: Send;
    /// The event types that it handles. Others are skipped before they are decoded.
    const TYPES: &'static [&'static str];

    /// Calls the third party, outside of any transaction. It may be called again for the same event: use the event's id as the
    /// idempotency key.
    fn call(
        &self,
        event: &Event<Self::Message>,
    ) -> impl Future<Output = Result<Self::Answer, Self::Error>> + Send;

    /// Applies the event and the answer. The transaction is committed afterwards, not here.
    fn handle(
        &self,
        event: Event<Self::Message>,
        answer: Self::Answer,
        tx: &mut Tx,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Handles the events of one partition that have arrived, in order, in one transaction.
pub trait BatchHandler: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// The handler's error. Its kind decides whether the events are retried.
    type Error: Into<crate::Error> + Send;
    /// The event types that it handles. Others are skipped before they are decoded.
    const TYPES: &'static [&'static str];

    /// Applies the events. If the batch fails for good, each event is tried alone.
    fn handle(
        &self,
        events: &[Event<Self::Message>],
        tx: &mut Tx,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Observes each event at least once, without a database.
pub trait Observer: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// The observer's error. Its kind decides whether the event is retried.
    type Error: Into<crate::Error> + Send;
    /// The event types that it observes. Others are skipped before they are decoded.
    const TYPES: &'static [&'static str];

    /// Observes the event.
    fn observe(
        &self,
        event: Event<Self::Message>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
