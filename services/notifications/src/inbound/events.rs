//! Kafka, all topics → [`Bridge::publish`].

use std::{marker::PhantomData, sync::Arc};

use chassis::{
    Error,
    contract::Topic,
    events::{Event, Observer},
    telemetry,
};
use proto::limits;

use crate::{bridge::Bridge, wire::ToUpdate};

/// Publishes a live update of each event of one topic.
pub(crate) struct OnEvent<E> {
    bridge: Arc<Bridge>,
    envelope: PhantomData<fn() -> E>,
}

impl<E> OnEvent<E> {
    pub(crate) fn new(bridge: &Arc<Bridge>) -> Self {
        Self { bridge: Arc::clone(bridge), envelope: PhantomData }
    }
}

impl<E: ToUpdate> Observer for OnEvent<E> {
    type Message = E;
    type Error = Error;
    /// Every type that the envelope lists: no event of a topic can be forgotten here.
    const TYPES: &'static [&'static str] = E::TYPES;

    async fn observe(&self, event: Event<E>) -> Result<(), Error> {
        limits::check(&event.body)?;
        let update = event.body.to_update();
        telemetry::annotate("order.id", update.order_id.clone());
        self.bridge.publish(<E::Topic as Topic>::NAME, &update).await;
        Ok(())
    }
}
