//! What is worth waking for, or worth a ticket.
