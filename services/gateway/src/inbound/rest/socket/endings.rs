//! Why a WebSocket ends: the close frame for its client, and the label under which it is counted.

use std::time::Duration;

use chassis::http::websocket::{Close, Ended};

/// Why a WebSocket ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed it, or is gone.
    Client,
    /// The client answers no pings.
    Dead,
    /// There was no subscription for a while.
    Idle(Duration),
    /// The gateway stops.
    Draining,
    /// The client does not read as fast as updates come.
    Slow,
    /// Too many WebSockets are open.
    Overloaded(usize),
    /// Too many messages of the client were refused.
    Unruly,
    /// The client broke the protocol or a limit of messages.
    Violation(Close),
}

/// Closes whose codes the protocol leaves to applications: <https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2>
const IDLE: u16 = 4000;
const DEAD: u16 = 4001;
const SLOW: u16 = 4002;
/// <https://www.iana.org/assignments/websocket/websocket.xml#close-code-number>
const TRY_AGAIN_LATER: u16 = 1013;

/// The codes with which the gateway closes a WebSocket, and when.
pub(crate) const CODES: [(u16, &str); 10] = [
    (Close::GOING_AWAY, "The gateway stops. Connect again."),
    (Close::PROTOCOL, "The client broke the WebSocket protocol."),
    (Close::UNSUPPORTED, "The client sent a binary message."),
    (Close::NOT_UTF8, "The client sent a text that is not UTF-8."),
    (Close::POLICY, "The client sent too many messages, or too many that were refused."),
    (Close::TOO_LARGE, "The client sent a message that is too large."),
    (TRY_AGAIN_LATER, "Too many WebSockets are open. Connect again later."),
    (IDLE, "There was no subscription for too long. Connect again to subscribe."),
    (DEAD, "The client answered no pings."),
    (
        SLOW,
        "The client did not read fast enough. Connect again, and continue after the last update.",
    ),
];

impl End {
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Dead => "dead",
            Self::Idle(_) => "idle",
            Self::Draining => "draining",
            Self::Slow => "slow_consumer",
            Self::Overloaded(_) => "overloaded",
            Self::Unruly => "unruly",
            Self::Violation(close) if close.code() == Close::POLICY => "unruly",
            Self::Violation(_) => "protocol",
        }
    }

    /// The close frame; `None` if the client has closed the connection.
    pub(super) fn close(self) -> Option<Close> {
        Some(match self {
            Self::Client => return None,
            Self::Dead => Close::new(DEAD, "no answer to pings"),
            Self::Idle(limit) => {
                let reason = format!("no subscription for {} s; expected one", limit.as_secs());
                Close::new(IDLE, reason)
            }
            Self::Draining => Close::new(Close::GOING_AWAY, "the gateway stops; connect again"),
            Self::Slow => {
                Close::new(SLOW, "slow consumer: connect again, continue after the last update")
            }
            Self::Overloaded(most) => {
                let reason = format!("{most} WebSockets are open, the most; connect again later");
                Close::new(TRY_AGAIN_LATER, reason)
            }
            Self::Unruly => Close::new(Close::POLICY, "too many messages were refused"),
            Self::Violation(close) => close,
        })
    }
}

impl From<Ended> for End {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Closed => Self::Client,
            Ended::Dead => Self::Dead,
            Ended::Slow => Self::Slow,
            Ended::Violation(close) => Self::Violation(close),
        }
    }
}
