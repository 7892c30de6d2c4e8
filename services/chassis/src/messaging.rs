//! What Kafka and NATS have in common: the metrics of sending.

crate::metrics! {
    /// Sending, whatever the bus.
    pub struct Metrics in "" {
        /// Seconds from handing a message to the client to its acknowledgement.
        messaging_client_operation_duration_seconds:
            HistogramVec["messaging_destination_name", "messaging_operation_name", "outcome"],
    }
}
