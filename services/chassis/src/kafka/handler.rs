//! What a service implements to handle events.

use proto::topics::Envelope;

use super::Event;
use crate::database::Tx;

/// Handles one event in one transaction, with its inbox row and what it publishes.
pub trait Handler: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// What may go wrong; its kind decides whether it is tried again.
    type Error: Into<crate::Error> + Send;
    /// The event types it wants; others are skipped before they are decoded.
    const TYPES: &'static [&'static str];

    /// Applies the event. The transaction is committed afterwards, not here.
    fn handle(
        &self,
        event: Event<Self::Message>,
        tx: &mut Tx,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Handles one event after a third party was called for it.
pub trait Caller: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// What may go wrong; its kind decides whether it is tried again.
    type Error: Into<crate::Error> + Send;
    /// What the third party said.
    type Answer: Send;
    /// The event types it wants; others are skipped before they are decoded.
    const TYPES: &'static [&'static str];
    #[doc(hidden)]
    const CALLS: bool = true;

    /// Calls the third party, outside of any transaction. It may be called again for the same event: its id is the
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

impl<H: Handler> Caller for H {
    type Message = H::Message;
    type Error = H::Error;
    type Answer = ();
    const TYPES: &'static [&'static str] = H::TYPES;
    const CALLS: bool = false;

    async fn call(&self, _: &Event<Self::Message>) -> Result<(), Self::Error> {
        Ok(())
    }

    fn handle(
        &self,
        event: Event<Self::Message>,
        (): (),
        tx: &mut Tx,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        Handler::handle(self, event, tx)
    }
}

/// Handles what is there at once, of one partition and in its order, in one transaction.
pub trait BatchHandler: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// What may go wrong; its kind decides whether it is tried again.
    type Error: Into<crate::Error> + Send;
    /// The event types it wants; others are skipped before they are decoded.
    const TYPES: &'static [&'static str];

    /// Applies the events. If it fails for good, each is tried alone.
    fn handle(
        &self,
        events: &[Event<Self::Message>],
        tx: &mut Tx,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Is told of each event at least once, and has no database.
pub trait Observer: Send + Sync + 'static {
    /// The topic's message.
    type Message: Envelope;
    /// What may go wrong; its kind decides whether it is tried again.
    type Error: Into<crate::Error> + Send;
    /// The event types it wants; others are skipped before they are decoded.
    const TYPES: &'static [&'static str];

    /// Looks at the event.
    fn observe(
        &self,
        event: Event<Self::Message>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
