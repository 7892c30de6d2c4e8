//! Edits of texts in which a list is a part.

/// Replaces every run of lines that belong to a list by `lines`. The first run becomes the list, and no other must exist.
///
/// # Panics
/// If no line belongs to the list, or the lines are not together: the file has changed, and the rule must follow.
#[track_caller]
pub(crate) fn lines(text: &str, belongs: impl Fn(&str) -> bool, lines: &[String]) -> String {
    let all: Vec<_> = text.lines().collect();
    let first = all.iter().position(|line| belongs(line)).expect("the list has a line");
    let end = first + all[first..].iter().take_while(|line| belongs(line)).count();
    let further = all[end..].iter().position(|line| belongs(line));
    assert_eq!(further, None, "the list is in two places");
    let lines = lines.iter().map(String::as_str);
    let all = all[..first].iter().copied().chain(lines).chain(all[end..].iter().copied());
    all.map(|line| format!("{line}\n")).collect()
}

/// Replaces the text between `open` and `close`, both after the first `anchor`.
///
/// # Panics
/// If one of them is missing.
#[track_caller]
pub(crate) fn between(text: &str, anchor: &str, open: &str, close: &str, new: &str) -> String {
    let at = text.find(anchor).unwrap_or_else(|| panic!("no {anchor:?}"));
    let start = text[at..].find(open).unwrap_or_else(|| panic!("no {open:?} after {anchor:?}"));
    let start = at + start + open.len();
    let end = text[start..].find(close).unwrap_or_else(|| panic!("no {close:?} after {open:?}"));
    format!("{}{new}{}", &text[..start], &text[start + end..])
}

/// What separates the documents of a YAML file.
pub(crate) const SEPARATOR: &str = "---\n";

/// Replaces the run of YAML documents that belong to a list.
///
/// # Panics
/// If no document belongs to the list.
#[track_caller]
pub(crate) fn documents(text: &str, belongs: impl Fn(&str) -> bool, new: &[String]) -> String {
    let all: Vec<_> = text.split(SEPARATOR).collect();
    let first = all.iter().position(|one| belongs(one)).expect("the list has a document");
    let end = first + all[first..].iter().take_while(|one| belongs(one)).count();
    // A comment above the first document belongs to the file.
    let comment: String = all[first]
        .lines()
        .take_while(|line| line.starts_with('#'))
        .map(|l| format!("{l}\n"))
        .collect();
    let mut new: Vec<_> = new.to_vec();
    if let Some(one) = new.first_mut() {
        one.insert_str(0, &comment);
    }
    let new = new.iter().map(String::as_str);
    let all = all[..first].iter().copied().chain(new).chain(all[end..].iter().copied());
    all.collect::<Vec<_>>().join(SEPARATOR)
}

#[test]
fn a_run_of_lines_is_replaced_and_the_rest_stays() {
    let of_list = |line: &str| line.starts_with("- ");
    let new = ["- x".to_owned()];
    assert_eq!(lines("a\n- b\n- c\nd\n", of_list, &new), "a\n- x\nd\n");
}

#[test]
#[should_panic(expected = "the list is in two places")]
fn a_list_in_two_places_is_refused() {
    lines("- b\nd\n- c\n", |line| line.starts_with("- "), &[]);
}

#[test]
fn a_list_in_a_line_is_replaced_after_its_anchor() {
    let text = "name: a\nin (x)\nname: b\nin (y)\n";
    assert_eq!(
        between(text, "name: b", "in (", ")", "z, w"),
        "name: a\nin (x)\nname: b\nin (z, w)\n"
    );
}

#[test]
fn documents_are_replaced_and_the_first_comment_stays() {
    let text = "head: 1\n---\n# why\nname: a\n---\nname: b\n---\nlast: 1\n";
    let new = ["name: c\n".to_owned()];
    let found = documents(text, |one| one.contains("name: "), &new);
    assert_eq!(found, "head: 1\n---\n# why\nname: c\n---\nlast: 1\n");
}
