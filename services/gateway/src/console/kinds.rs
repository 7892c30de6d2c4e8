//! The kinds of the console's files, for the build that embeds them and for the folder that is served as it is.

use std::path::Path;

/// By the end of the name.
const KINDS: [(&str, &str); 6] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("woff2", "font/woff2"),
];

/// The media type of a file; `None` if such files are not served.
pub(crate) fn kind_of(path: &Path) -> Option<&'static str> {
    let end = path.extension()?.to_str()?;
    KINDS.iter().find(|(known, _)| *known == end).map(|(_, kind)| *kind)
}
