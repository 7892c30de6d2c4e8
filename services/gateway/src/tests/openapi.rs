//! The OpenAPI document is complete and matches what is served.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use chassis::http::Problem;
use proto::limits;
use serde_json::{Value, json};

use super::{contract, gateway::TestGateway};

const METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.collect()
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_lists_every_operation() {
    let document = TestGateway::new().await.document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let described: Vec<_> =
        operations(&document).iter().map(|(path, method, _)| format!("{method} {path}")).collect();
    assert_eq!(
        described,
        [
            "get /api/live",
            "get /api/orders",
            "post /api/orders",
            "get /api/orders/{id}",
            "post /api/orders/{id}/cancel",
            "get /api/orders/{id}/live",
            "post /api/otlp/v1/logs",
            "post /api/otlp/v1/traces",
            "get /api/products",
            "get /api/products/{sku}",
            "get /asyncapi.json",
            "get /openapi.json",
        ]
    );
}

#[tokio::test]
async fn exactly_the_described_methods_are_served() {
    let gateway = TestGateway::new().await;
    let document = gateway.document().await;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let described = item.get(method.as_str().to_lowercase()).is_some();
            let request = Request::builder()
                .method(&method)
                .uri(path.replace(['{', '}'], ""))
                .body(Body::empty());
            let answer = gateway.send(request.unwrap()).await;
            assert_eq!(
                answer.status != StatusCode::METHOD_NOT_ALLOWED,
                described,
                "{method} {path}"
            );
            assert_ne!(answer.body["detail"], "no such path", "{method} {path}");
            if !described {
                let expected = METHODS
                    .iter()
                    .filter(|method| item.get(method.as_str().to_lowercase()).is_some());
                let allowed: BTreeSet<_> =
                    answer.header("allow").split(',').filter(|one| *one != "HEAD").collect();
                assert_eq!(allowed, expected.map(Method::as_str).collect(), "{method} {path}");
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
        }
    }
}

#[tokio::test]
async fn every_operation_describes_all_its_answers() {
    let document = TestGateway::new().await.document().await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap()),
            "{place}: its id is not unique"
        );
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{place}");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with(['1', '2'])), "{place}");
        if path.starts_with("/api/") {
            assert!(
                ["500", "503", "504"].iter().all(|status| answers.contains_key(*status)),
                "{place}"
            );
        }
        for (status, answer) in answers {
            assert!(answer["headers"]["traceresponse"].is_object(), "{place} {status}");
            assert!(!answer["description"].as_str().unwrap().is_empty(), "{place} {status}");
            if status.as_str() >= "400" {
                problems(&document, status, answer, &place);
            }
        }
        assert_eq!(
            answers.get("503").is_some(),
            answers.get("503").is_some_and(|answer| answer["headers"]["Retry-After"].is_object())
        );
    }
}

/// Every documented error can be a problem: its examples are parsed as one.
fn problems(document: &Value, status: &str, answer: &Value, place: &str) {
    let media = &answer["content"]["application/problem+json"];
    assert_eq!(media["schema"]["$ref"], "#/components/schemas/Problem", "{place} {status}");
    for example in media["examples"].as_object().unwrap().values() {
        contract::check(document, &media["schema"], &example["value"], place);
        let problem: Problem = serde_json::from_value(example["value"].clone()).unwrap();
        assert_eq!(problem.status.to_string(), status, "{place}");
    }
}

#[tokio::test]
async fn a_problem_has_the_fields_that_the_document_describes() {
    let document = TestGateway::new().await.document().await;
    let schema = &document["components"]["schemas"]["Problem"];
    let mut bare =
        Problem::new(StatusCode::CONFLICT, "OUT_OF_STOCK", "there is not enough in stock");
    bare.trace_id = None;
    let required: BTreeSet<_> =
        schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let keys =
        |problem: &Problem| serde_json::to_value(problem).unwrap().as_object().unwrap().clone();
    assert_eq!(keys(&bare).keys().map(String::as_str).collect::<BTreeSet<_>>(), required);
    let mut full = bare.field("items[0]", "7 wanted, 2 available");
    full.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".into());
    let properties: BTreeSet<_> =
        schema["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys(&full).keys().cloned().collect::<BTreeSet<_>>(), properties);
}

#[tokio::test]
async fn every_reference_resolves_and_every_schema_is_used() {
    let document = TestGateway::new().await.document().await;
    let mut referred = BTreeSet::new();
    references(&document, &mut referred);
    for reference in &referred {
        assert!(
            document.pointer(reference.trim_start_matches('#')).is_some(),
            "{reference} does not resolve"
        );
    }
    let schemas = document["components"]["schemas"].as_object().unwrap().keys();
    let unused: Vec<_> = schemas
        .filter(|name| !referred.contains(&format!("#/components/schemas/{name}")))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

/// A generated client sees a live stream as text; the schema of each kind of event's data is beside it.
#[tokio::test]
async fn a_live_stream_is_text_with_a_schema_for_each_event() {
    let document = TestGateway::new().await.document().await;
    let answer = &document["paths"]["/api/orders/{id}/live"]["get"]["responses"]["200"];
    let stream = &answer["content"]["text/event-stream"];
    assert_eq!(stream["schema"]["type"], "string", "{stream}");
    let of = |name: &str| format!("#/components/schemas/{name}");
    assert_eq!(stream["x-events"]["item"]["$ref"], *of("LiveEvent"));
    assert_eq!(stream["x-events"]["data"]["status"]["$ref"], *of("StatusChange"));
    assert_eq!(stream["x-events"]["data"]["activity"]["$ref"], *of("Activity"));
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| match field.as_str() {
            Some(reference) if name == "$ref" => drop(found.insert(reference.to_owned())),
            _ => references(field, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_example_of_an_order_is_accepted() {
    let gateway = TestGateway::new().await;
    let document = gateway.document().await;
    let body =
        &document["paths"]["/api/orders"]["post"]["requestBody"]["content"]["application/json"];
    contract::check(&document, &body["schema"], &body["example"], "example");
    assert_eq!(gateway.place(body["example"].to_string()).await.status, 202);
}

#[tokio::test]
async fn the_schema_of_an_order_has_its_required_parts_and_the_limits_of_the_contracts() {
    let document = TestGateway::new().await.document().await;
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["PlaceOrder"]["required"], json!(["items", "payment_token"]));
    assert_eq!(schemas["NewItem"]["required"], json!(["sku", "quantity"]));
    assert_eq!(schemas["Items"]["maxItems"], *limits::ITEMS.end());
    assert_eq!(schemas["Quantity"]["maximum"], *limits::QUANTITY.end());
    assert_eq!(schemas["Sku"]["maxLength"], limits::SKU.longest);
}
