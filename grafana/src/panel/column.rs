//! One column of a table.

use super::{Colour, Unit};

/// How one column of a table is shown.
#[derive(Clone, Debug)]
pub struct Column {
    pub(crate) name: &'static str,
    pub(crate) unit: Option<Unit>,
    pub(crate) decimals: Option<u8>,
    pub(crate) thresholds: Vec<(f64, Colour)>,
    pub(crate) words: Vec<(&'static str, &'static str, Colour)>,
    pub(crate) links: Vec<(&'static str, &'static str)>,
    pub(crate) width: Option<u16>,
    pub(crate) hidden: bool,
}

impl Column {
    /// A column as it is called in the header.
    pub fn new(name: &'static str) -> Self {
        let (unit, decimals, width) = (None, None, None);
        let (thresholds, words, links) = (vec![], vec![], vec![]);
        Self { name, unit, decimals, thresholds, words, links, width, hidden: false }
    }

    /// What its numbers are.
    #[must_use]
    pub fn unit(mut self, unit: Unit, decimals: u8) -> Self {
        (self.unit, self.decimals) = (Some(unit), Some(decimals));
        self
    }

    /// From which value on its cells have which colour.
    #[must_use]
    pub fn thresholds(mut self, steps: &[(f64, Colour)]) -> Self {
        self.thresholds = steps.to_vec();
        self
    }

    /// A value that is shown as a word, in a colour.
    #[must_use]
    pub fn word(mut self, value: &'static str, word: &'static str, colour: Colour) -> Self {
        self.words.push((value, word, colour));
        self
    }

    /// Where a click on a cell leads.
    #[must_use]
    pub fn link(mut self, title: &'static str, url: &'static str) -> Self {
        self.links.push((title, url));
        self
    }

    /// Not shown, but there for the links of others: what a panel is `without` they cannot name.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// In pixels.
    #[must_use]
    pub fn width(mut self, pixels: u16) -> Self {
        self.width = Some(pixels);
        self
    }
}
