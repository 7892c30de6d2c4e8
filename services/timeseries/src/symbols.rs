//! Texts that many labels share: each is stored once.

use std::{collections::HashSet, sync::Arc};

use crate::cost;

/// The texts.
#[derive(Default)]
pub(crate) struct Symbols {
    texts: HashSet<Arc<str>>,
    bytes: usize,
}

impl Symbols {
    /// The shared text.
    pub(crate) fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.bytes += cost::shared(text.len());
        self.texts.insert(Arc::clone(&text));
        text
    }

    /// Removes the texts that nothing else uses.
    pub(crate) fn purge(&mut self) {
        let Self { texts, bytes } = self;
        texts.retain(|text| {
            let used = Arc::strong_count(text) > 1;
            *bytes -= if used { 0 } else { cost::shared(text.len()) };
            used
        });
        if texts.capacity() > 4 * texts.len() + 64 {
            texts.shrink_to_fit();
        }
    }

    /// The bytes that they use.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + cost::table(self.texts.capacity(), size_of::<Arc<str>>())
    }
}
