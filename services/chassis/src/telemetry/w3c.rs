//! The headers of W3C Trace Context and Baggage, for every transport: <https://www.w3.org/TR/trace-context/>,
//! <https://www.w3.org/TR/baggage/>.
//!
//! The SDK's propagators are less strict, and read the first line of a header only. Here several lines of `tracestate` and of
//! `baggage` are one list, and two `traceparent`s are invalid, so that a new trace begins instead of the wrong one being
//! continued.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator, text_map_propagator::FieldIter},
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";
pub(super) const BAGGAGE: &str = "baggage";

/// The most members of a `tracestate`; a longer one is invalid.
const MOST_STATES: usize = 32;
/// The bytes of a `baggage` that every platform must pass on. Further members are dropped; the SDK would drop all members.
const MOST_BAGGAGE: usize = 8192;
/// White space that is allowed around the members of a list.
const BLANKS: [char; 2] = [' ', '\t'];

/// Reads and writes all three headers.
#[derive(Debug, Default)]
pub(super) struct W3c {
    trace: TraceContextPropagator,
    baggage: BaggagePropagator,
}

impl TextMapPropagator for W3c {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.trace.inject_context(context, &mut Filled(injector));
        self.baggage.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let context = match span_context(extractor) {
            Some(span) => context.with_remote_span_context(span),
            None => context.clone(),
        };
        match baggage(extractor) {
            Some(list) => self.baggage.extract_with_context(&context, &One(list)),
            None => context,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        self.trace.fields()
    }
}

fn span_context(extractor: &dyn Extractor) -> Option<SpanContext> {
    let lines = extractor.get_all(TRACEPARENT)?;
    let [line] = lines.as_slice() else { return None };
    let (trace, span, flags) = parent(line.trim_matches(BLANKS))?;
    let state = extractor.get_all(TRACESTATE).and_then(|lines| state(&lines)).unwrap_or_default();
    let span = SpanContext::new(trace, span, flags, true, state);
    span.is_valid().then_some(span)
}

/// Version 00 has exactly four fields; of a later version, only these four are known.
fn parent(line: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let bytes = line.as_bytes();
    let (fields, rest) = bytes.split_at_checked(55)?;
    let [version, trace, span, flags] =
        [&fields[..2], &fields[3..35], &fields[36..52], &fields[53..]];
    let hexadecimal = |field: &[u8]| {
        field.iter().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(digit))
    };
    let dashes = [2, 35, 52].iter().all(|at| fields[*at] == b'-');
    let ends = rest.is_empty() || version != b"00" && rest[0] == b'-';
    if !dashes
        || !ends
        || version == b"ff"
        || ![version, trace, span, flags].into_iter().all(hexadecimal)
    {
        return None;
    }
    let flags = u8::from_str_radix(&line[53..55], 16).ok()?;
    Some((
        TraceId::from_hex(&line[3..35]).ok()?,
        SpanId::from_hex(&line[36..52]).ok()?,
        TraceFlags::new(flags) & TraceFlags::SAMPLED,
    ))
}

/// All lines as one list; `None` if a member is invalid or there are too many.
fn state(lines: &[&str]) -> Option<TraceState> {
    let members = lines.iter().flat_map(|line| line.split(',')).map(|one| one.trim_matches(BLANKS));
    let members: Vec<_> = members
        .filter(|one| !one.is_empty())
        .take(MOST_STATES + 1)
        .map(member)
        .collect::<Option<_>>()?;
    if members.len() > MOST_STATES {
        return None;
    }
    TraceState::from_key_value(members).ok()
}

/// Checks what the SDK does not: empty keys and values, and characters that are not allowed in a header.
fn member(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    let whole = !key.is_empty() && !value.is_empty();
    (whole && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))).then_some((key, value))
}

/// All lines as one list, up to the longest length.
fn baggage(extractor: &dyn Extractor) -> Option<String> {
    let mut list = String::new();
    for line in extractor.get_all(BAGGAGE)? {
        for member in line.split(',').map(|member| member.trim_matches(BLANKS)) {
            if member.is_empty() || list.len() + 1 + member.len() > MOST_BAGGAGE {
                continue;
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(member);
        }
    }
    (!list.is_empty()).then_some(list)
}

/// Omits headers that would be empty.
struct Filled<'a>(&'a mut dyn Injector);

impl Injector for Filled<'_> {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.set(key, value);
        }
    }
}

/// A single `baggage`.
struct One(String);

impl Extractor for One {
    fn get(&self, key: &str) -> Option<&str> {
        (key == BAGGAGE).then_some(self.0.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        vec![BAGGAGE]
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::baggage::BaggageExt;
    use opentelemetry_http::HeaderExtractor;

    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn extracted(lines: &[(&'static str, &str)]) -> Context {
        let mut headers = http::HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::try_from(*value).unwrap());
        }
        W3c::default().extract_with_context(&Context::new(), &HeaderExtractor(&headers))
    }

    fn continues(traceparent: &str) -> bool {
        extracted(&[(TRACEPARENT, traceparent)]).span().span_context().is_valid()
    }

    #[test]
    fn a_trace_goes_on_where_the_header_is_what_the_recommendation_says() {
        let ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        for good in [
            VALID.to_owned(),
            format!("00-{ids}-00"),
            format!("00-{ids}-ff"),
            format!("cc-{ids}-01"),
            format!("cc-{ids}-01-what the future will be like"),
            format!(" {VALID}\t"),
        ] {
            assert!(continues(&good), "{good}");
        }
        for bad in [
            format!("{VALID}-"),
            format!("{VALID}-00"),
            format!("{VALID}0"),
            format!("cc-{ids}-01."),
            format!("ff-{ids}-01"),
            format!("0A-{ids}-01"),
            format!("+0-{ids}-01"),
            format!("00-{ids}-+1"),
            format!("00-{ids}-0"),
            format!("00-{}-01", ids.to_uppercase()),
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".into(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01".into(),
            format!("00_{ids}-01"),
            format!("{VALID},{VALID}"),
            String::new(),
        ] {
            assert!(!continues(&bad), "{bad}");
        }
        let twice = extracted(&[(TRACEPARENT, VALID), (TRACEPARENT, VALID), (TRACESTATE, "a=1")]);
        assert!(!twice.span().span_context().is_valid(), "two are none");
    }

    #[test]
    fn several_lines_are_one_list() {
        let context = extracted(&[
            (TRACEPARENT, VALID),
            (TRACESTATE, "a=1, b=2 ,"),
            (TRACESTATE, "\tc@d=3"),
            (BAGGAGE, "user=ada , empty="),
            (BAGGAGE, "plan=gold;since=2020"),
        ]);
        assert_eq!(context.span().span_context().trace_state().header(), "a=1,b=2,c@d=3");
        let baggage = context.baggage();
        assert_eq!(baggage.get("user").map(|value| value.as_str()), Some("ada"));
        assert_eq!(baggage.get("plan").map(|value| value.as_str()), Some("gold"));
    }

    #[test]
    fn an_invalid_list_is_left_out_and_the_trace_goes_on() {
        let many: Vec<_> = (0..33).map(|number| format!("k{number}=v")).collect();
        for bad in ["a", "=1", "a=", "A=1", "a=1=2", &many.join(",")] {
            let context =
                extracted(&[(TRACEPARENT, VALID), (TRACESTATE, "b=2"), (TRACESTATE, bad)]);
            let span = context.span().span_context().clone();
            assert!(span.is_valid() && span.trace_state().header().is_empty(), "{bad}");
        }
    }

    #[test]
    fn baggage_that_is_too_long_is_cut_between_members() {
        let long = "v".repeat(4000);
        let members: Vec<_> = (0..4).map(|number| format!("k{number}={long}")).collect();
        let context =
            extracted(&[(BAGGAGE, &members[..2].join(",")), (BAGGAGE, &members[2..].join(","))]);
        assert_eq!(context.baggage().len(), 2);
    }

    #[test]
    fn what_is_written_is_read_the_same_and_nothing_empty_is_written() {
        let lines = [(TRACEPARENT, VALID), (TRACESTATE, "a=1"), (BAGGAGE, "user=ada")];
        let mut written = std::collections::HashMap::new();
        W3c::default().inject_context(&extracted(&lines), &mut written);
        for (name, value) in lines {
            assert_eq!(written.get(name).map(String::as_str), Some(value));
        }
        written.clear();
        W3c::default().inject_context(&extracted(&lines[..1]), &mut written);
        assert_eq!(written.len(), 1);
    }
}
