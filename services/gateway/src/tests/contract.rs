//! Checks answers against the OpenAPI document, with as much of JSON Schema as the document uses.

use axum::http::Method;
use serde_json::Value;

use super::gateway::Answer;

/// Asserts that the document describes the answer; paths and methods that it does not contain are ignored.
pub(super) fn hold(document: &Value, method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(document, method, path) else { return };
    let status = answer.status.as_str();
    let promised = &operation["responses"][status];
    assert!(
        promised.is_object(),
        "{method} {path}: the document does not know {status}: {}",
        answer.text
    );
    let Some(content) = promised["content"].as_object() else {
        assert_eq!(answer.text, "", "{method} {path}: {status} has no content");
        return;
    };
    let (content_type, media) = content.iter().next().unwrap();
    assert!(answer.header("content-type").starts_with(content_type), "{method} {path}: {status}");
    if content_type.ends_with("json") {
        check(document, &media["schema"], &answer.body, &format!("{method} {path} {status}"));
    }
    for (name, _) in promised["headers"].as_object().into_iter().flatten() {
        // Telemetry is off in these tests.
        assert!(
            name == "traceresponse" || !answer.header(name).is_empty(),
            "{method} {path}: {status} without {name}"
        );
    }
    if let Some(problem) = answer.body.get("type").filter(|_| answer.status.as_u16() >= 400) {
        let kinds = media["examples"]
            .as_object()
            .unwrap()
            .values()
            .map(|example| &example["value"]["type"]);
        assert!(
            kinds.clone().any(|kind| kind == problem),
            "{method} {path}: {status} is no {problem}: {kinds:?}"
        );
    }
}

/// The operation of the document for this path and method.
pub(super) fn operation<'a>(document: &'a Value, method: &Method, path: &str) -> Option<&'a Value> {
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template
                .iter()
                .zip(path)
                .all(|(part, given)| part.starts_with('{') || *part == given)
    };
    let (_, item) = document["paths"].as_object()?.iter().find(|(template, _)| fits(template))?;
    item.get(method.as_str().to_lowercase())
}

/// Asserts that the value matches the schema.
pub(super) fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return check(
            document,
            target.unwrap_or_else(|| panic!("{reference} does not resolve")),
            value,
            place,
        );
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fitting = choices.iter().filter(|choice| is_of(document, choice, value));
        let chosen: Vec<_> = fitting.collect();
        assert_eq!(chosen.len(), 1, "{place}: {value} is none of {choices:?}");
        return check(document, chosen[0], value, place);
    }
    assert!(is_of(document, schema, value), "{place}: {value} is not {schema}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place}: {value} is none of {words:?}");
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object())
    {
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(
                fields.contains_key(required.as_str().unwrap()),
                "{place}: {required} is missing"
            );
        }
        for (name, field) in fields {
            let property =
                properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not documented"));
            check(document, property, field, &format!("{place}.{name}"));
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{place}[{index}]"));
    }
}

fn is_of(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return document
            .pointer(reference.trim_start_matches('#'))
            .is_some_and(|target| is_of(document, target, value));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        one => one == kind,
    }
}
