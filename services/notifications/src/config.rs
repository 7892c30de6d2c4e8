//! What `notifications` can be told: nothing but what every service can.

use serde::{Deserialize, Serialize};

/// The settings of `notifications`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Config {}
