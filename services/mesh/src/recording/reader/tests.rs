//! Files that are runs, and files that are not.

use std::{fs, io::Write};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;
use crate::recording::Writer;

const TRACE: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"orders"}}]},"scopeSpans":[{"spans":[{"startTimeUnixNano":"1000000000","endTimeUnixNano":"2000000000"}]}]}]}"#;

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.zip");
    (folder, path)
}

/// A zip file with these entries.
fn zip(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    for (name, contents) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(contents).unwrap();
    }
    zip.finish().unwrap();
}

const MANIFEST_TEXT: &[u8] = br#"{"format":"glassmesh run","version":1,"program":"0","from":"2026-01-02T03:04:05Z","to":"2026-01-02T03:04:05Z",
    "services":[],"spans":0,"log_lines":0,"metric_points":0,"a field of later":1}"#;

async fn lines_of(reader: &mut Reader) -> anyhow::Result<usize> {
    let (mut lines, mut counts) = (0, Counts::default());
    reader
        .lines(Entry::Traces, &mut counts, async |_| {
            lines += 1;
            Ok(())
        })
        .await?;
    Ok(lines)
}

#[tokio::test]
async fn a_run_that_was_written_can_be_read() {
    let (_folder, path) = file();
    let mut writer = Writer::create(&path).unwrap();
    let mut traces = writer.begin(Entry::Traces).unwrap();
    // Parts end anywhere.
    let two = format!("{TRACE}\n{TRACE}\n");
    for part in two.as_bytes().chunks(7) {
        traces.write(part).unwrap();
    }
    traces.finish().unwrap();
    let mut snapshot = writer.begin(Entry::Snapshot).unwrap();
    snapshot.write(b"\x00\n\xff").unwrap();
    snapshot.finish().unwrap();
    assert!(!path.exists(), "an unfinished file has no name");
    let written = writer.finish(u64::MAX).unwrap();

    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.manifest(), &written);
    assert_eq!(
        (written.spans, written.from.as_str(), written.to.as_str()),
        (2, "1970-01-01T00:00:01.000Z", "1970-01-01T00:00:02.000Z")
    );
    assert_eq!(lines_of(&mut reader).await.unwrap(), 2);
    assert_eq!(reader.snapshot().unwrap(), Some(b"\x00\n\xff".to_vec()));
    let refused = Writer::create(&path).err().unwrap().to_string();
    assert!(refused.contains("exists already"), "{refused}");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_leaves_no_file() {
    let (folder, path) = file();
    let mut writer = Writer::create(&path).unwrap();
    let mut traces = writer.begin(Entry::Traces).unwrap();
    traces.write(&TRACE.as_bytes()[..20]).unwrap();
    assert!(traces.finish().unwrap_err().to_string().contains("cut off in a line of traces.jsonl"));
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_no_run_is_an_error_that_says_why() {
    let (folder, path) = file();
    let error = |path: &Path| format!("{:#}", Reader::open(path).unwrap_err());
    assert!(error(&folder.path().join("none.zip")).contains("none.zip: No such file"));
    fs::write(&path, "tea").unwrap();
    assert!(error(&path).contains("run.zip: it is no zip file"), "{}", error(&path));
    zip(&path, &[("tea", b"green")]);
    assert!(error(&path).contains("it has no manifest.json"), "{}", error(&path));
    zip(&path, &[(MANIFEST, b"{}")]);
    assert!(
        error(&path).contains("manifest.json is not that of a run: missing field"),
        "{}",
        error(&path)
    );
    let newer = String::from_utf8_lossy(MANIFEST_TEXT).replace("\"version\":1", "\"version\":2");
    zip(&path, &[(MANIFEST, newer.as_bytes())]);
    assert!(
        error(&path).contains("up to version 1, found \"glassmesh run\" version 2"),
        "{}",
        error(&path)
    );
    zip(
        &path,
        &[(MANIFEST, MANIFEST_TEXT), ("traces.jsonl", format!("{TRACE}\n\n{{}}\n").as_bytes())],
    );
    let wrong = format!("{:#}", lines_of(&mut Reader::open(&path).unwrap()).await.unwrap_err());
    assert!(
        wrong.contains("run.zip: traces.jsonl, line 3: missing field `resourceSpans`"),
        "{wrong}"
    );
}

/// Each limit is an error that names the entry and the limit; a small file that is huge when decompressed takes no memory.
#[tokio::test]
async fn each_limit_is_an_error_that_names_it() {
    let (_folder, path) = file();
    let limits = Limits {
        file: 100_000,
        entries: 3,
        entry: 5_000,
        manifest: 1_000,
        snapshot: 100,
        line: 1_000,
    };
    let open = |path: &Path| Reader::open_within(path, limits);
    let zeros = vec![b' '; 10_000_000];
    zip(
        &path,
        &[(MANIFEST, MANIFEST_TEXT), ("traces.jsonl", &zeros), ("metrics.snapshot", &zeros)],
    );
    let mut reader = open(&path).unwrap();
    let error = format!("{:#}", lines_of(&mut reader).await.unwrap_err());
    assert!(error.contains("traces.jsonl, line 1: it is longer than 1000 bytes"), "{error}");
    let error = format!("{:#}", reader.snapshot().unwrap_err());
    assert!(error.contains("metrics.snapshot has more than 100 bytes, decompressed"), "{error}");
    let many = format!("{TRACE}\n").repeat(100);
    zip(&path, &[(MANIFEST, MANIFEST_TEXT), ("traces.jsonl", many.as_bytes())]);
    let error = format!("{:#}", lines_of(&mut open(&path).unwrap()).await.unwrap_err());
    assert!(error.contains("traces.jsonl has more than 5000 bytes, decompressed"), "{error}");
    zip(&path, &[("a", b""), ("b", b""), ("c", b""), (MANIFEST, MANIFEST_TEXT)]);
    assert!(open(&path).unwrap_err().to_string().contains("4 entries; the limit is 3"));
    zip(&path, &[(MANIFEST, &zeros)]);
    assert!(
        open(&path).unwrap_err().to_string().contains("manifest.json has more than 1000 bytes")
    );
    fs::write(&path, &zeros).unwrap();
    assert!(open(&path).unwrap_err().to_string().contains("10000000 bytes; the limit is 100000"));
}
