//! The problems that the API answers with, and how the OpenAPI document shows them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use chassis::{
    Error, Kind,
    http::{PROBLEM, Problem},
};
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        example::ExampleBuilder,
        schema::{SchemaType, Type},
    },
};

use crate::domain::Mistake;

/// What went wrong, for people and programs: RFC 9457.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes chassis::http::Problem, which knows nothing of OpenAPI")]
pub(super) struct ProblemDocument {
    /// A URI reference that names the kind of problem.
    #[schema(examples("/problems/out-of-stock"))]
    r#type: String,
    /// The kind of problem in a few words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What went wrong this time.
    detail: String,
    /// The trace of the request, if it is recorded.
    #[schema(nullable = false)]
    trace_id: Option<String>,
    /// What is wrong with the request's parts, if it is about parts.
    #[schema(nullable = false)]
    errors: Option<Vec<ProblemField>>,
}

/// What is wrong with one part of a request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes chassis::http::FieldProblem")]
pub(super) struct ProblemField {
    /// Where: a path into the body, a query parameter, or a header.
    #[schema(examples("items[0].quantity"))]
    field: String,
    /// What, and what was expected.
    #[schema(examples("is 0; expected 1 to 100"))]
    detail: String,
}

/// The problem for an invalid order or query.
pub(super) fn invalid(detail: &str, mistakes: Vec<Mistake>) -> Problem {
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-argument", detail);
    mistakes
        .into_iter()
        .fold(problem, |problem, mistake| problem.field(mistake.field, mistake.detail))
}

/// Translates an error of a service behind the gateway into the words of this API.
pub(super) fn refused(error: Error) -> Problem {
    let reused = error.reason_word() == Some("IDEMPOTENCY_KEY_REUSED");
    let invalid = error.kind() == Kind::Invalid;
    let mut problem = Problem::from(error);
    if reused {
        problem = problem.field("Idempotency-Key", REUSED);
    }
    if reused || invalid {
        problem.status = StatusCode::UNPROCESSABLE_ENTITY.as_u16();
    }
    problem.detail = in_public_words(&problem.detail);
    for part in &mut problem.errors {
        part.field = public(&part.field);
        part.detail = in_public_words(&part.detail);
    }
    problem
}

/// The names of list parameters in the services' contracts, and in this API.
const WORDS: [(&str, &str); 3] =
    [("next_page_token", "next_cursor"), ("page_token", "cursor"), ("page_size", "limit")];

fn in_public_words(text: &str) -> String {
    WORDS.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

/// Some parts have other names in the services' contracts.
fn public(field: &str) -> String {
    match field {
        "page_token" => "cursor".to_owned(),
        "page_size" => "limit".to_owned(),
        "query" => "q".to_owned(),
        _ => field
            .strip_prefix("lines[")
            .map_or_else(|| field.to_owned(), |rest| format!("items[{rest}")),
    }
}

/// A kind of problem as the OpenAPI document shows it.
pub(super) struct Refusal {
    status: StatusCode,
    word: &'static str,
    when: &'static str,
    detail: &'static str,
    /// A part of the request, and what is wrong with it.
    field: Option<(&'static str, &'static str)>,
}

impl Refusal {
    const fn new(
        status: StatusCode,
        word: &'static str,
        when: &'static str,
        detail: &'static str,
    ) -> Self {
        Self { status, word, when, detail, field: None }
    }

    const fn about(self, field: &'static str, what: &'static str) -> Self {
        Self { field: Some((field, what)), ..self }
    }

    fn problem(&self) -> Problem {
        let mut problem = Problem::new(self.status, self.word, self.detail);
        problem.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".into());
        self.field.map_or(problem.clone(), |(field, what)| problem.field(field, what))
    }
}

pub(super) const MALFORMED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "malformed-json",
    "The body is not JSON.",
    "expected `,` or `}` at line 1 column 9",
);
pub(super) const NO_PRODUCT: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "unknown-product",
    "There is no such product.",
    "no product \"teapod\"",
);
pub(super) const NO_ORDER: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "unknown-order",
    "The customer has no such order.",
    "no order \"6f0c9d9e-0d58-5e0c-9d54-1f5f0f6f2c11\"",
);
pub(super) const OUT_OF_STOCK: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "out-of-stock",
    "There is less in stock than is wanted: `errors` names each item and what is available.",
    "there is not enough in stock",
)
.about("items[0].quantity", "7 of \"teapot\" wanted, 2 available");
pub(super) const CHANGED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "changed",
    "The order was changed at the same time; the same again may succeed.",
    "the order was changed at the same time",
);
pub(super) const ABANDONED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "order-abandoned",
    "The order with this key could not be placed, was not repeated in time, and its stock was released; use a new key.",
    "this order could not be placed in time, and its stock was released",
);
pub(super) const NOT_CANCELLABLE: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "not-cancellable",
    "The order is on its way, or delivered, or cancelled for another reason.",
    "the order is dispatched",
);
pub(super) const TOO_LARGE: Refusal = Refusal::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "payload-too-large",
    "The body is larger than 64 KiB.",
    "the body is larger than the 65536 bytes that are taken here",
);
pub(super) const NOT_JSON: Refusal = Refusal::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported-media-type",
    "The body is not said to be JSON, or said to be encoded.",
    "the body must be JSON: content-type: application/json; it is said to be \"text/plain\"",
);
pub(super) const BAD_ORDER: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "invalid-argument",
    "The order cannot be meant: `errors` names every part that is wrong.",
    "the order is not what is expected here",
)
.about("items[0].quantity", "is 0; expected 1 to 100");
pub(super) const BAD_QUERY: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "invalid-argument",
    "The query is not what is expected: `errors` names every parameter that is wrong.",
    "the query is not what is expected here",
)
.about("limit", "\"0\" is no limit; expected 1 to 100");
pub(super) const KEY_REUSED: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "idempotency-key-reused",
    "The idempotency key was sent before, with another order.",
    "the idempotency key was used for another order",
)
.about("Idempotency-Key", REUSED);
const FOREIGN_ORIGIN: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "foreign-origin",
    "A web page of another origin wants to change something, and is none of those that may.",
    "a web page of another origin may not do this; `http.origins` names those that may",
);
const FOREIGN_HOST: Refusal = Refusal::new(
    StatusCode::MISDIRECTED_REQUEST,
    "foreign-host",
    "The header Host has a name that is none of this server's.",
    "\"shop.example\" is no name of this server; `http.hosts` adds names",
);
const TOO_SLOW: Refusal = Refusal::new(
    StatusCode::REQUEST_TIMEOUT,
    "request-timeout",
    "The request's body did not arrive in time; the connection ends with the answer.",
    "the body did not arrive within 10 s",
);
const TOO_LONG: Refusal = Refusal::new(
    StatusCode::URI_TOO_LONG,
    "uri-too-long",
    "The path and query have more than 8192 bytes.",
    "the path and query have 9000 bytes; expected at most 8192",
);
const INTERNAL: Refusal = Refusal::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "internal",
    "A mistake of ours.",
    "an unexpected error; see the trace",
);
const OVERLOADED: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "overloaded",
    "More requests or live streams are open than fit in; the same again may succeed.",
    "as many live streams are open as fit in",
);
const UNAVAILABLE: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "unavailable",
    "A service that is needed is away; the same again may succeed.",
    "orders: the service cannot be reached",
);
const TOO_LATE: Refusal = Refusal::new(
    StatusCode::GATEWAY_TIMEOUT,
    "deadline-exceeded",
    "A service that is needed did not answer in time.",
    "orders: the time ran out",
);

/// The mistake in an idempotency key that was used for another order.
const REUSED: &str = "was sent before, with another order";

/// What every operation that calls a service may answer.
const ANY: [&Refusal; 8] = [
    &FOREIGN_ORIGIN,
    &TOO_SLOW,
    &TOO_LONG,
    &FOREIGN_HOST,
    &INTERNAL,
    &OVERLOADED,
    &UNAVAILABLE,
    &TOO_LATE,
];

/// Declares the refusals of one operation as a type that [`utoipa::path`] takes.
macro_rules! refusals {
    ($name:ident: $($refusal:ident),* $(,)?) => {
        struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses()
            -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
                $crate::inbound::rest::refusals::responses(&[$(&$crate::inbound::rest::refusals::$refusal),*])
            }
        }
    };
}
pub(super) use refusals;

/// Groups the refusals: one answer for each status, one example for each kind of problem.
pub(super) fn responses(own: &[&Refusal]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<_, Vec<&Refusal>> = BTreeMap::new();
    for refusal in own.iter().chain(&ANY) {
        by_status.entry(refusal.status).or_default().push(refusal);
    }
    let document = |(status, refusals): (StatusCode, Vec<_>)| {
        (status.as_str().to_owned(), response(status, &refusals).into())
    };
    by_status.into_iter().map(document).collect()
}

fn response(status: StatusCode, refusals: &[&Refusal]) -> Response {
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
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer));
        let after = HeaderBuilder::new()
            .schema(Some(seconds))
            .description(Some("When to try again, in seconds."));
        response = response.header("Retry-After", after.build());
    }
    response.build()
}
