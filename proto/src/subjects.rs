//! NATS subjects: each pattern with the type of its messages.

use chassis::contract::Subject;

use crate::notifications::v1::LiveUpdate;

/// What happens to one customer's orders, for those who are connected at that moment.
#[derive(Clone, Copy, Debug)]
pub struct LiveOrders;

impl Subject for LiveOrders {
    type Message = LiveUpdate;
    const TEMPLATE: &'static str = "live.orders.{customer}.{order}";
}
