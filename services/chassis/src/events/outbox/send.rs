//! Sends rows to the broker: different keys concurrently, the rows of one key one after the other, so that none overtakes a row
//! that failed.

use std::collections::HashMap;

use futures::future::join_all;
use opentelemetry::KeyValue;
use rdkafka::{error::KafkaError, message::OwnedHeaders};

use super::{
    held::Held,
    set_aside::{Unsendable, reason},
    table::Row,
};
use crate::{
    database,
    kafka::{Outgoing, Producer, headers, refusal::Refusal},
};

/// The outcome of sending rows. Rows that are in none of its lists wait.
#[derive(Default)]
pub(super) struct Outcome {
    /// Rows that a broker acknowledged.
    pub(super) sent: Vec<i64>,
    /// Rows that can never be sent.
    pub(super) unsendable: Vec<Unsendable>,
    /// The error that says that the brokers take no record at all; `None` otherwise.
    pub(super) outage: Option<KafkaError>,
}

/// Sends a service's rows.
pub(super) struct Sender {
    pub(super) producer: Producer,
    pub(super) service: &'static str,
}

impl Sender {
    /// Sends rows and waits for the brokers' acknowledgements.
    pub(super) async fn send(&self, rows: &[Row], held: &mut Held) -> Outcome {
        let mut outcome = Outcome::default();
        let mut stopped = Vec::new();
        let chains = chains(rows);
        for (sent, stop) in join_all(chains.iter().map(|chain| self.chain(chain))).await {
            for row in sent {
                held.record_sent(row);
                outcome.sent.push(row.seq);
            }
            stopped.extend(stop);
        }
        for (row, error) in stopped {
            // A broker refuses a whole batch because of one record. Sent alone, each row shows whether it was that one.
            let error = match Refusal::from(&error) {
                Refusal::Record(_) => match self.one(row).await {
                    Ok(()) => {
                        held.record_sent(row);
                        outcome.sent.push(row.seq);
                        continue;
                    }
                    Err(error) => error,
                },
                _ => error,
            };
            outcome.record_failure(row, error, held);
        }
        outcome
    }

    /// Sends the rows of one key until one is refused.
    async fn chain<'a>(&self, rows: &[&'a Row]) -> (Vec<&'a Row>, Option<(&'a Row, KafkaError)>) {
        let mut sent = Vec::with_capacity(rows.len());
        for row in rows {
            match self.one(row).await {
                Ok(()) => sent.push(*row),
                Err(error) => return (sent, Some((row, error))),
            }
        }
        (sent, None)
    }

    async fn one(&self, row: &Row) -> Result<(), KafkaError> {
        let at = humantime::format_rfc3339_micros(database::time(row.created_at)).to_string();
        let source = format!("/mesh/{}", self.service);
        let resent = row.resent.then_some((headers::RESENT, "true"));
        let all = [
            (headers::SPECVERSION, "1.0"),
            (headers::ID, &row.event_id),
            (headers::TYPE, &row.r#type),
            (headers::SOURCE, &source),
            (headers::TIME, &at),
            (headers::CONTENT_TYPE, "application/protobuf"),
        ];
        let outgoing = Outgoing {
            topic: &row.topic,
            key: Some(row.key.as_bytes()),
            payload: Some(&row.payload),
            headers: all
                .into_iter()
                .chain(resent)
                .fold(OwnedHeaders::new_with_capacity(10), |all, (key, value)| {
                    headers::set(all, key, value)
                }),
            parent: &row.context(),
            attributes: vec![
                KeyValue::new("messaging.message.id", row.event_id.clone()),
                KeyValue::new("cloudevents.event_id", row.event_id.clone()),
                KeyValue::new("cloudevents.event_type", row.r#type.clone()),
            ],
        };
        self.producer.send(outgoing).await?.acknowledged().await
    }
}

impl Outcome {
    fn record_failure(&mut self, row: &Row, error: KafkaError, held: &mut Held) {
        let (reason, attempts) = match Refusal::from(&error) {
            Refusal::Record(reason) => (reason, 2),
            Refusal::Topic => return held.hold_topic(&row.topic, error.to_string()),
            Refusal::Unknown => match held.record_refusal(row) {
                Some(attempts) => (reason::REFUSED, attempts),
                None => return,
            },
            Refusal::Outage => {
                self.outage = Some(error);
                return;
            }
        };
        held.record_set_aside(row);
        let (key, detail) = (Some(row.key.clone()), error.to_string());
        self.unsendable.push(Unsendable { seq: row.seq, key, reason, detail, attempts });
    }
}

/// Groups rows by topic and key, in their order.
fn chains(rows: &[Row]) -> Vec<Vec<&Row>> {
    let mut places = HashMap::new();
    let mut chains: Vec<Vec<&Row>> = Vec::with_capacity(rows.len());
    for row in rows {
        let place = *places.entry((&row.topic, &row.key)).or_insert(chains.len());
        match chains.get_mut(place) {
            Some(chain) => chain.push(row),
            None => chains.push(vec![row]),
        }
    }
    chains
}
