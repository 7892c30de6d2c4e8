//! Dashboards as JSON, and accessors for them.

use std::{fs, path::Path};

use serde_json::Value;

/// One dashboard.
pub(crate) struct Dashboard {
    pub(crate) file: String,
    pub(crate) json: Value,
}

impl Dashboard {
    /// All of our dashboards.
    pub(crate) fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
        let files =
            fs::read_dir(folder).expect("the dashboards").map(|file| file.expect("one").path());
        let read = |path: std::path::PathBuf| Self {
            file: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            json: serde_json::from_str(&fs::read_to_string(&path).expect("a dashboard"))
                .expect("JSON"),
        };
        files.map(read).collect()
    }

    /// Every panel except rows, including those inside collapsed rows.
    pub(crate) fn panels(&self) -> Vec<Panel<'_>> {
        self.with_rows().into_iter().filter(|panel| panel.kind() != "row").collect()
    }

    /// The same, with the rows.
    pub(crate) fn with_rows(&self) -> Vec<Panel<'_>> {
        let mut panels = Vec::new();
        for panel in list(&self.json, "/panels") {
            panels.push(Panel(panel));
            panels.extend(list(panel, "/panels").iter().map(Panel));
        }
        panels
    }

    /// The variables that a reader chooses.
    pub(crate) fn variables(&self) -> &[Value] {
        list(&self.json, "/templating/list")
    }
}

/// One panel.
#[derive(Clone, Copy)]
pub(crate) struct Panel<'a>(pub(crate) &'a Value);

impl<'a> Panel<'a> {
    pub(crate) fn title(&self) -> &'a str {
        text(self.0, "/title")
    }

    pub(crate) fn kind(&self) -> &'a str {
        text(self.0, "/type")
    }

    pub(crate) fn targets(&self) -> &'a [Value] {
        list(self.0, "/targets")
    }

    /// The position: left, top, right, bottom.
    pub(crate) fn place(&self) -> [i64; 4] {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| {
            self.0.pointer(&format!("/gridPos/{side}")).and_then(Value::as_i64).unwrap_or(-1)
        });
        [x, y, x + w, y + h]
    }
}

pub(crate) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A PromQL query as Prometheus receives it; `None` for a query to another data source.
pub(crate) fn promql(target: &Value) -> Option<String> {
    if text(target, "/datasource/type") != "prometheus" {
        return None;
    }
    let windows = [("$__rate_interval", "1m"), ("$__range", "1h"), ("$__interval", "15s")];
    let query = text(target, "/expr").to_owned();
    Some(windows.iter().fold(query, |query, (name, value)| query.replace(name, value)))
}

/// Every value under this key, at any depth.
pub(crate) fn everywhere<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                if name == key {
                    found.push(value);
                }
                everywhere(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| everywhere(item, key, found)),
        _ => {}
    }
}
