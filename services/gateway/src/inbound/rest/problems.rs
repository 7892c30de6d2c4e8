//! The problems that the API answers with, and how the OpenAPI document shows them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chassis::{
    Error, Kind,
    http::{PROBLEM, Problem},
};
use proto::limits::{QUANTITY, Violations};
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        example::ExampleBuilder,
        schema::{SchemaType, Type},
    },
};

/// What went wrong, for people and programs: RFC 9457.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes chassis::http::Problem, which knows nothing of OpenAPI")]
pub(crate) struct ProblemDocument {
    /// A URI reference that names the kind of problem.
    #[schema(examples("/problems/out-of-stock"))]
    r#type: String,
    /// The kind of problem in a few words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong in this case.
    detail: String,
    /// The trace of the request, if it is recorded.
    #[schema(nullable = false)]
    trace_id: Option<String>,
    /// What is wrong with parts of the request, if the problem is about parts.
    #[schema(nullable = false)]
    errors: Option<Vec<ProblemField>>,
}

/// What is wrong with one part of a request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes chassis::http::FieldProblem")]
pub(crate) struct ProblemField {
    /// The part: a path into the body, a query parameter, or a header.
    #[schema(examples("items[0].quantity"))]
    field: String,
    /// What is wrong with it, and what was expected.
    #[schema(examples("7 of \"teapot\" wanted, 2 available"))]
    detail: String,
}

/// Translates an error of a service behind the gateway into the words of this API.
pub(crate) fn refused(error: Error) -> Problem {
    let reused = error.reason_word() == Some("IDEMPOTENCY_KEY_REUSED");
    let invalid = error.kind() == Kind::Invalid;
    let mut problem = Problem::from(error);
    if reused {
        problem = problem.field("idempotency_key", REUSED);
    }
    if reused || invalid {
        problem.status = StatusCode::UNPROCESSABLE_ENTITY.as_u16();
    }
    problem.detail = in_public_words(&problem.detail);
    for part in &mut problem.errors {
        part.field = in_public_words(&part.field);
        part.detail = in_public_words(&part.detail);
        if part.field == "query" {
            part.field = "q".to_owned();
        }
    }
    problem
}

/// Parts of requests whose names in the services' contracts differ from the names in this API.
const WORDS: [(&str, &str); 5] = [
    ("next_page_token", "next_cursor"),
    ("page_token", "cursor"),
    ("page_size", "limit"),
    ("lines[", "items["),
    ("idempotency_key", "Idempotency-Key"),
];

fn in_public_words(text: &str) -> String {
    WORDS.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

/// A kind of problem as the OpenAPI document shows it.
pub(super) struct Refusal {
    status: u16,
    word: &'static str,
    /// When the API answers with it.
    when: &'static str,
    /// An example of its detail.
    detail: &'static str,
    /// Adds an example of what it says about a part of the request.
    part: fn(&mut Violations),
}

/// Declares each problem: its name here, the status, the end of its type, when it is the answer, and an example.
macro_rules! problems {
    ($($name:ident = $status:literal $word:literal: $when:literal, $detail:literal $(, $part:expr)?;)+) => {
        $(pub(super) const $name: Refusal = Refusal {
            status: $status,
            word: $word,
            when: $when,
            detail: $detail,
            part: problems!(@part $($part)?),
        };)+
    };
    (@part) => { |_| {} };
    (@part $part:expr) => { $part };
}

problems! {
    MALFORMED = 400 "malformed-json": "The body is not JSON.",
        "expected `,` or `}` at line 1 column 9";
    BAD_HANDSHAKE = 400 "bad-handshake": "The request is no valid opening handshake.",
        "the header Sec-WebSocket-Key is not 16 bytes in base64";
    FOREIGN_ORIGIN = 403 "foreign-origin": "A web page of an origin that may not change anything sent the request.",
        "a web page of another origin may not do this; `http.origins` names those that may";
    NO_PRODUCT = 404 "unknown-product": "There is no such product.",
        "no product \"teapod\"";
    NO_ORDER = 404 "unknown-order": "The customer has no such order.",
        "no order \"6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11\"";
    TOO_SLOW = 408 "request-timeout": "The body did not arrive in time. The gateway closes the connection.",
        "the body did not arrive within 10 s";
    OUT_OF_STOCK = 409 "out-of-stock": "There is not enough in stock. `errors` names each item and what is available.",
        "there is not enough in stock", |parts| parts.add("items[0].quantity", "7 of \"teapot\" wanted, 2 available");
    CHANGED = 409 "changed": "The order was changed at the same time. The same request may succeed now.",
        "the order was changed at the same time";
    ABANDONED = 409 "order-abandoned":
        "The order with this key could not be placed, was not repeated in time, and its stock was released; use a new key.",
        "this order could not be placed in time, and its stock was released";
    NOT_CANCELLABLE = 409 "not-cancellable":
        "The order was dispatched or delivered, or it was cancelled for another reason.",
        "the order is dispatched";
    TOO_LARGE = 413 "payload-too-large": "The body is too large.",
        "the body is larger than the 65536 bytes that are taken here";
    TOO_LONG = 414 "uri-too-long": "The path and query are too long.",
        "the path and query have 9000 bytes; expected at most 8192";
    NOT_JSON = 415 "unsupported-media-type": "The headers do not declare the body as JSON, or declare it as encoded.",
        "the body must be JSON: content-type: application/json; it is said to be \"text/plain\"";
    FOREIGN_HOST = 421 "foreign-host": "The header Host has a name that is not one of this server's names.",
        "\"shop.example\" is no name of this server; `http.hosts` adds names";
    BAD_ORDER = 422 "invalid-argument": "The order is invalid. `errors` names every part that is wrong.",
        "the order is invalid", |parts| parts.number("items[0].quantity", 0, &QUANTITY);
    BAD_QUERY = 422 "invalid-argument": "The query is invalid. `errors` names every parameter that is wrong.",
        "the query is invalid", |parts| parts.add("status", "\"lost\" is no status");
    KEY_REUSED = 422 "idempotency-key-reused": "The idempotency key was used for another order.",
        "the idempotency key was used for another order", |parts| parts.add("Idempotency-Key", REUSED);
    BAD_EXPORT = 422 "invalid-argument": "The body is JSON, but no export of OTLP, or it has more than a page sends.",
        "the body has 900 spans; expected at most 256: send them in several requests";
    TOO_OFTEN = 429 "too-many-requests": "The gateway takes no more telemetry of browsers in this second.",
        "more than 20 requests a second; send larger batches, or raise `browser_requests`";
    UPGRADE_REQUIRED = 426 "upgrade-required": "The request does not ask for WebSocket, version 13.",
        "this path speaks WebSocket; send `Upgrade: websocket` and `Sec-WebSocket-Version: 13`";
    INTERNAL = 500 "internal": "The gateway, or a service that it called, failed unexpectedly.",
        "an unexpected error; see the trace";
    OVERLOADED = 503 "overloaded": "The maximum of requests or live streams is open. The same request may succeed later.",
        "the maximum of live streams is open";
    UNAVAILABLE = 503 "unavailable": "A service that the request needs is unavailable. The same request may succeed later.",
        "orders: the service cannot be reached";
    TOO_LATE = 504 "deadline-exceeded": "A service that the request needs did not answer in time.",
        "orders: the time ran out";
}

/// What is wrong with an idempotency key that was used for another order.
const REUSED: &str = "was sent before, with another order";

/// The problems of every operation that calls a service.
const COMMON: [Refusal; 8] =
    [FOREIGN_ORIGIN, TOO_SLOW, TOO_LONG, FOREIGN_HOST, INTERNAL, OVERLOADED, UNAVAILABLE, TOO_LATE];

impl Refusal {
    fn problem(&self) -> Problem {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let mut problem = Problem::new(status, self.word, self.detail);
        problem.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".into());
        let mut parts = Violations::default();
        (self.part)(&mut parts);
        parts
            .as_slice()
            .iter()
            .fold(problem, |problem, one| problem.field(&one.field, &one.message))
    }
}

/// Declares the problems of one operation as a type that [`utoipa::path`] takes.
macro_rules! refusals {
    ($name:ident: $($refusal:ident),* $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses()
            -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::inbound::rest::problems::responses(&[$($crate::inbound::rest::problems::$refusal),*])
            }
        }
    };
}
pub(super) use refusals;

/// One response for each status, with one example for each kind of problem.
pub(super) fn responses(own: &[Refusal]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<&Refusal>> = BTreeMap::new();
    for refusal in own.iter().chain(&COMMON) {
        by_status.entry(refusal.status).or_default().push(refusal);
    }
    let document = |(status, refusals): (u16, Vec<_>)| {
        (status.to_string(), response(status, &refusals).into())
    };
    by_status.into_iter().map(document).collect()
}

fn response(status: u16, refusals: &[&Refusal]) -> Response {
    let mut content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    for refusal in refusals {
        let problem = refusal.problem();
        let example = ExampleBuilder::new()
            .summary(&*problem.title)
            .value(serde_json::to_value(&problem).ok());
        content = content.examples_from_iter([(refusal.word, example.build())]);
    }
    let when: Vec<_> = refusals.iter().map(|refusal| refusal.when).collect();
    let mut response =
        ResponseBuilder::new().description(when.join(" Or: ")).content(PROBLEM, content.build());
    if matches!(status, 429 | 503) {
        let seconds = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer));
        let after = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("When to try again, in seconds."));
        response = response.header("Retry-After", after.build());
    }
    response.build()
}
