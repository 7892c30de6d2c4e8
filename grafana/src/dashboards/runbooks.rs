//! The runbooks: what each alert means and what to do. They are made from `runbooks.md`, and shown in Grafana, where the
//! person on call already is.

use crate::{dashboard::Dashboard, panel::Panel};

const TEXT: &str = include_str!("../../runbooks.md");
const UID: &str = "mesh-runbooks";
/// The name of each alert that has a chapter, and the chapter's text.
fn chapters() -> impl Iterator<Item = (&'static str, &'static str)> {
    TEXT.split("\n## ").skip(1).filter_map(|chapter| chapter.split_once('\n'))
}

/// The URL of an alert's chapter, below the front door.
pub fn url_of(alert: &str) -> String {
    format!("/grafana/d/{UID}?viewPanel={}", panel_of(alert))
}

/// The panel of the chapter alone, as Grafana's `viewPanel` names it.
pub fn panel_of(alert: &str) -> String {
    format!("panel-{}", id_of(alert))
}

/// A panel id that does not change when other alerts are added: FNV-1a of the name, above the ids that are assigned by
/// counting.
/// <http://www.isthe.com/chongo/tech/comp/fnv/>
fn id_of(alert: &str) -> usize {
    let hash = alert
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    1_000 + hash as usize % 100_000
}

pub(super) fn dashboard() -> Dashboard {
    let introduction = TEXT.split("\n## ").next().unwrap_or_default();
    let introduction = introduction.trim_start_matches("# Runbooks").trim();
    let first = Panel::telling("Before you begin", "What the words below mean.", introduction);
    let alerts = chapters().map(|(name, chapter)| {
        Panel::telling(name, "Each alert links to its own.", chapter.trim())
            .size(12, 14)
            .known_as(id_of(name))
    });
    Dashboard::new(UID, "Mesh / Runbooks", "What each alert means, and what to do.")
        .row("Runbooks", [first].into_iter().chain(alerts).collect())
}
