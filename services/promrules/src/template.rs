//! Templates of labels and annotations.

use promql::Labels;

/// A template.
#[derive(Clone, Debug)]
pub(crate) struct Template(String);

/// What a template can read.
pub(crate) struct Data<'a> {
    pub(crate) labels: &'a Labels,
    pub(crate) value: f64,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.contains("{{") {
            Err("templates are not supported yet".to_owned())
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    pub(crate) fn expand(&self, _data: &Data<'_>) -> Result<String, String> {
        Ok(self.0.clone())
    }
}
