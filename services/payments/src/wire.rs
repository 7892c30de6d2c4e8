//! Conversions between messages and domain types.

use proto::{
    limits,
    orders::v1::{OrderEvent, order_event},
    payments::v1::{Charge, Payment as Listed, payment::State as ListedState},
    types::v1::Money,
};

use crate::{
    domain::{Command, Order, Payment, State},
    error::Error,
    outbound::Entry,
};

impl TryFrom<&OrderEvent> for Order {
    type Error = Error;

    fn try_from(event: &OrderEvent) -> Result<Self, Error> {
        limits::check(event)?;
        let command = match &event.event {
            Some(order_event::Event::Placed(placed)) => {
                let amount = placed.total.clone().ok_or(Error::Malformed("no total"))?;
                Command::Pay { amount: amount.try_into()?, token: placed.payment_token.clone() }
            }
            Some(order_event::Event::Cancelled(_)) => Command::Cancel,
            _ => return Err(Error::Malformed("neither placed nor cancelled")),
        };
        Ok(Self {
            id: event.order_id.as_str().try_into()?,
            customer: event.customer.as_str().try_into()?,
            command,
        })
    }
}

impl From<Payment> for Listed {
    fn from(Payment { order, amount, state, .. }: Payment) -> Self {
        let state = match state {
            State::Authorized { .. } => ListedState::Authorized,
            State::Declined { .. } => ListedState::Declined,
            State::Asking { .. } | State::Unknown { .. } => ListedState::Unknown,
            State::Failed => ListedState::Failed,
            State::Refunded { .. } => ListedState::Refunded,
            State::Void => ListedState::Unspecified,
        };
        Self { order_id: order.into(), state: state.into(), amount: amount.map(Into::into) }
    }
}

impl From<Entry> for Charge {
    fn from(entry: Entry) -> Self {
        let Entry { reference, charge_id, amount, currency, refunded, .. } = entry;
        let amount = Some(Money { currency, amount_minor: amount });
        Self { charge_id, order_id: reference, amount, refunded }
    }
}
