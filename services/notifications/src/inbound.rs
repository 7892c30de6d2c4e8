//! Kafka, all topics → [`Bridge::tell`].

use std::{marker::PhantomData, sync::Arc};

use chassis::{
    Error,
    events::{Event, Observer},
    telemetry,
};
use proto::{
    limits,
    topics::{Envelope, Topic},
};

use crate::{bridge::Bridge, update::News};

/// Sends live updates of one topic's events.
pub(crate) struct OnNews<N> {
    bridge: Arc<Bridge>,
    news: PhantomData<fn() -> N>,
}

impl<N> OnNews<N> {
    pub(crate) fn new(bridge: &Arc<Bridge>) -> Self {
        Self { bridge: Arc::clone(bridge), news: PhantomData }
    }
}

impl<N: News> Observer for OnNews<N> {
    type Message = N;
    type Error = Error;
    const TYPES: &'static [&'static str] = <N as Envelope>::TYPES;

    async fn observe(&self, event: Event<N>) -> Result<(), Error> {
        limits::check(&event.body)?;
        let update = event.body.update();
        telemetry::annotate("order.id", update.order_id.clone());
        self.bridge.tell(N::Topic::NAME, &update).await;
        Ok(())
    }
}
