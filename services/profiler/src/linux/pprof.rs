//! Writes pprof's format piece by piece: <https://github.com/google/pprof/blob/main/proto/profile.proto>.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use flate2::{Compression, write::GzEncoder};

/// A profile that is being written.
pub(super) struct Writer {
    out: GzEncoder<Vec<u8>>,
    strings: HashMap<String, u64>,
    ordered: Vec<String>,
}

/// A protobuf message.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn number(mut self, field: u32, value: u64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(value);
        self
    }

    pub(super) fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn message(self, field: u32, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    pub(super) fn numbers(self, field: u32, values: impl IntoIterator<Item = u64>) -> Self {
        let mut packed = Self::default();
        values.into_iter().for_each(|value| packed.varint(value));
        self.message(field, &packed)
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The numbers of a profile's fields.
pub(super) mod field {
    pub(in super::super) const SAMPLE_TYPE: u32 = 1;
    pub(in super::super) const SAMPLE: u32 = 2;
    pub(in super::super) const MAPPING: u32 = 3;
    pub(in super::super) const LOCATION: u32 = 4;
    pub(in super::super) const FUNCTION: u32 = 5;
    pub(super) const STRING: u32 = 6;
    pub(in super::super) const TIME_NANOS: u32 = 9;
    pub(in super::super) const DURATION_NANOS: u32 = 10;
    pub(in super::super) const PERIOD_TYPE: u32 = 11;
    pub(in super::super) const PERIOD: u32 = 12;
    pub(in super::super) const COMMENT: u32 = 13;
}

impl Writer {
    pub(super) fn new() -> Self {
        let out = GzEncoder::new(Vec::new(), Compression::fast());
        let mut writer = Self { out, strings: HashMap::new(), ordered: Vec::new() };
        writer.string(""); // the first is to be empty
        writer
    }

    /// The index of a string in the string table.
    pub(super) fn string(&mut self, text: &str) -> u64 {
        if let Some(number) = self.strings.get(text) {
            return *number;
        }
        let number = self.ordered.len() as u64;
        self.strings.insert(text.to_owned(), number);
        self.ordered.push(text.to_owned());
        number
    }

    /// A value's type and unit.
    pub(super) fn value_type(&mut self, kind: &str, unit: &str) -> Message {
        Message::default().number(1, self.string(kind)).number(2, self.string(unit))
    }

    /// Appends fields to the profile.
    pub(super) fn write(&mut self, fields: &Message) -> io::Result<()> {
        self.out.write_all(&fields.0)
    }

    /// Returns the profile, gzipped.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        for text in std::mem::take(&mut self.ordered) {
            self.write(&Message::default().bytes(field::STRING, text.as_bytes()))?;
        }
        self.out.finish()
    }
}
