//! The [remote-write protocol](https://prometheus.io/docs/specs/prw/remote_write_spec/), by which a staleness marker reaches
//! Prometheus; its import of OpenMetrics has no form for one.

use prost::Message;

use crate::data::Data;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// Optional, because a field that is zero is not written otherwise, and a negative zero equals zero.
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// How many series a request has.
const BATCH: usize = 500;

/// The bodies of the requests that write the data.
pub(crate) fn requests(data: &Data) -> Vec<Vec<u8>> {
    let series: Vec<_> = data
        .iter()
        .map(|(labels, samples)| TimeSeries {
            labels: labels
                .iter()
                .map(|(name, value)| Label { name: name.to_string(), value: value.to_string() })
                .collect(),
            samples: samples
                .iter()
                .map(|sample| Sample { value: Some(sample.value), timestamp: sample.at_ms })
                .collect(),
        })
        .collect();
    let batches = series.chunks(BATCH);
    batches
        .map(|series| snappy(&WriteRequest { series: series.to_vec() }.encode_to_vec()))
        .collect()
}

/// The [Snappy format](https://github.com/google/snappy/blob/main/format_description.txt) without compression: the length, then
/// literals.
fn snappy(content: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let mut length = content.len();
    while length >= 0x80 {
        encoded.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    encoded.push(length as u8);
    for literal in content.chunks(1 << 16) {
        // A literal whose length, less one, is in the next two bytes.
        encoded.push(61 << 2);
        encoded.extend(u16::try_from(literal.len() - 1).unwrap().to_le_bytes());
        encoded.extend(literal);
    }
    encoded
}
