//! Carries events from Kafka to NATS.
