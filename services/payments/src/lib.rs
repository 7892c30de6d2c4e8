//! Charges and refunds through a third party.
