//! The messages on `/api/live`, in both directions: JSON texts, each with its kind in `type`.

use chassis::http::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    inbound::rest::problems::ProblemDocument, limits::SubscriptionId, resources::OrderUpdate,
};

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ClientMessage {
    /// Begins a subscription. The server answers with the updates that the client lacks, if any, and then with `subscribed`, or
    /// with `error`.
    Subscribe {
        /// The client's own name for the subscription, unique on its connection.
        #[schema(value_type = SubscriptionId)]
        id: String,
        /// Whose updates are wanted.
        to: Target,
        /// The last update that the client has, from this connection or an earlier one: the subscription begins after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        after: Option<Position>,
    },
    /// Ends a subscription. The server answers with `unsubscribed`.
    Unsubscribe {
        /// The subscription.
        #[schema(value_type = SubscriptionId)]
        id: String,
    },
    /// Asks for the server's clock. The server answers with `pong`.
    Ping {
        /// Repeated in the answer, so that the client can measure the round trip: at most 64 characters.
        #[schema(max_length = 64, examples("7"))]
        id: String,
    },
}

/// Whose updates are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// An order's, by its id. The subscription begins with the order's history, unless it continues after an update.
    #[schema(examples("6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11"))]
    Order(String),
    /// A customer's orders, by the customer's id.
    #[schema(examples("guest"))]
    Customer(String),
    /// All orders: `true`.
    Everything(bool),
}

/// The place of an update among all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// The process of the gateway that numbered the update.
    #[schema(examples("b7c4e2f09a5d4f7e"))]
    pub(crate) epoch: String,
    /// The update's number.
    #[schema(examples(41))]
    pub(crate) seq: u64,
}

/// What the server sends.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ServerMessage {
    /// The first message on a connection.
    Hello {
        /// The process that numbers the updates: a number is valid only together with it.
        #[schema(examples("b7c4e2f09a5d4f7e"))]
        epoch: String,
        /// The number of the latest update.
        seq: u64,
        /// The server's clock, in milliseconds since the Unix epoch.
        now_ms: f64,
        /// What a client has to keep to.
        limits: ClientLimits,
    },
    /// A subscription began: every update up to this number was sent, and later ones follow.
    Subscribed {
        /// The subscription.
        #[schema(value_type = SubscriptionId)]
        id: String,
        /// The number of the latest update.
        seq: u64,
    },
    /// A subscription ended.
    Unsubscribed {
        /// The subscription.
        #[schema(value_type = SubscriptionId)]
        id: String,
    },
    /// What happened to orders, in order. Several updates share a message when they follow each other closely.
    Updates {
        /// The updates.
        #[schema(min_items = 1)]
        updates: Vec<Delivery>,
    },
    /// Updates may be missing before the next one. A subscription to an order needs nothing: its history follows.
    Gap {
        /// The subscriptions that may lack updates.
        #[schema(value_type = Vec<SubscriptionId>)]
        ids: Vec<String>,
        /// Why.
        reason: GapReason,
        /// What to do, for people.
        advice: String,
        /// The number after which nothing is missing.
        seq: u64,
    },
    /// The answer to `ping`.
    Pong {
        /// As in the `ping`.
        #[schema(max_length = 64)]
        id: String,
        /// The server's clock, in milliseconds since the Unix epoch.
        now_ms: f64,
        /// The number up to which every update for this connection was sent.
        seq: u64,
    },
    /// A message of the client was refused; the connection goes on.
    Error {
        /// The subscription that the message named, if it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        id: Option<String>,
        /// What was wrong, and what was expected.
        #[schema(value_type = ProblemDocument)]
        problem: Box<Problem>,
    },
}

/// What a client has to keep to.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
pub(crate) struct ClientLimits {
    /// The most subscriptions of a connection.
    pub(crate) subscriptions: usize,
    /// The longest message of a client, in bytes.
    pub(crate) message_bytes: usize,
    /// The most messages of a client in a second, in the long run.
    pub(crate) messages_per_second: u32,
    /// How long a connection may stay without a subscription, in milliseconds.
    pub(crate) idle_ms: u64,
}

/// An update for some subscriptions of a connection.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
pub(crate) struct Delivery {
    /// The subscriptions that it is for.
    #[schema(value_type = Vec<SubscriptionId>, min_items = 1)]
    pub(crate) ids: Vec<String>,
    #[serde(flatten)]
    pub(crate) update: OrderUpdate,
}

/// Why updates may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[cfg_attr(test, derive(Deserialize))]
#[serde(rename_all = "snake_case")]
pub(crate) enum GapReason {
    /// The client's last update was numbered by another process of the gateway.
    OtherProcess,
    /// The gateway no longer has the updates after the client's last one.
    TooOld,
    /// The gateway lost its connection to NATS, or could not keep up with it.
    Lapse,
}

impl GapReason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OtherProcess => "other_process",
            Self::TooOld => "too_old",
            Self::Lapse => "lapse",
        }
    }

    /// What the client can do.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::OtherProcess => {
                "read what is shown again, e.g. GET /api/orders; this process has not the updates of the one before"
            }
            Self::TooOld => {
                "read what is shown again, e.g. GET /api/orders; the gateway keeps only the latest updates"
            }
            Self::Lapse => {
                "read what is shown again, e.g. GET /api/orders; the gateway missed updates, and goes on with the next"
            }
        }
    }
}
