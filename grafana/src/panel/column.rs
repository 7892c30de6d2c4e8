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
    /// A column by its name in the header.
    pub fn new(name: &'static str) -> Self {
        let (unit, decimals, width) = (None, None, None);
        let (thresholds, words, links) = (vec![], vec![], vec![]);
        Self { name, unit, decimals, thresholds, words, links, width, hidden: false }
    }

    /// Sets the unit of the numbers.
    #[must_use]
    pub fn unit(mut self, unit: Unit, decimals: u8) -> Self {
        (self.unit, self.decimals) = (Some(unit), Some(decimals));
        self
    }

    /// Sets thresholds: from each value on, cells have this colour.
    #[must_use]
    pub fn thresholds(mut self, steps: &[(f64, Colour)]) -> Self {
        self.thresholds = steps.to_vec();
        self
    }

    /// Shows a value as a word, in a colour.
    #[must_use]
    pub fn word(mut self, value: &'static str, word: &'static str, colour: Colour) -> Self {
        self.words.push((value, word, colour));
        self
    }

    /// Sets the link of a cell.
    #[must_use]
    pub fn link(mut self, title: &'static str, url: &'static str) -> Self {
        self.links.push((title, url));
        self
    }

    /// Hides the column, but keeps its values for the links of other columns: these cannot use a column that the panel is
    /// `without`.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Sets the width, in pixels.
    #[must_use]
    pub fn width(mut self, pixels: u16) -> Self {
        self.width = Some(pixels);
        self
    }
}
