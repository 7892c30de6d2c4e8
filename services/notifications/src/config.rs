//! The settings of `notifications`: only those that all services have.

use serde::{Deserialize, Serialize};

/// The settings of `notifications`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Config {}
