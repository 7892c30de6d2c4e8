//! A trace context stored in a row, from which a timer or a later request continues.

use std::collections::HashMap;

use opentelemetry::{Context, propagation::TextMapPropagator};

use super::w3c::{BAGGAGE, TRACEPARENT, TRACESTATE, W3c};

/// The bytes of a `tracestate` that every platform must pass on; further members are not kept.
const MOST_STATE: usize = 512;

/// A context in the form in which a row stores it, limited in length: three columns, each null if there is no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The span to continue from; `None` outside of a trace.
    pub traceparent: Option<String>,
    /// The vendor-specific part of the context, at most 512 bytes.
    pub tracestate: Option<String>,
    /// What the application passes on, at most 8192 bytes.
    pub baggage: Option<String>,
}

impl Kept {
    /// The current context.
    pub fn current() -> Self {
        Context::map_current(Self::of)
    }

    fn of(context: &Context) -> Self {
        let mut headers = HashMap::new();
        W3c::default().inject_context(context, &mut headers);
        Self {
            traceparent: headers.remove(TRACEPARENT),
            tracestate: headers.remove(TRACESTATE).and_then(|state| cut(&state)),
            baggage: headers.remove(BAGGAGE),
        }
    }

    /// The stored context; empty if none was stored.
    pub fn context(&self) -> Context {
        let all = [
            (TRACEPARENT, &self.traceparent),
            (TRACESTATE, &self.tracestate),
            (BAGGAGE, &self.baggage),
        ];
        let headers: HashMap<_, _> = all
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
            .collect();
        W3c::default().extract_with_context(&Context::new(), &headers)
    }
}

/// Cuts members off the end: the newest members are in front.
fn cut(state: &str) -> Option<String> {
    let end = match state.len() {
        0..=MOST_STATE => state.len(),
        _ => state.get(..=MOST_STATE)?.rfind(',')?,
    };
    Some(state[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_context_is_the_same_later() {
        let kept = Kept {
            traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            tracestate: Some("a=1,b=2".into()),
            baggage: Some("user=ada".into()),
        };
        assert_eq!(Kept::of(&kept.context()), kept);
        assert_eq!(Kept::of(&Kept::default().context()), Kept::default());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let member = |number: usize| format!("k{number}={}", "v".repeat(100));
        let all: Vec<_> = (0..20).map(member).collect();
        let kept = cut(&all.join(",")).unwrap();
        assert_eq!(kept, all[..4].join(","));
        assert_eq!(cut(&"v".repeat(600)), None);
        assert_eq!(cut("a=1").as_deref(), Some("a=1"));
    }
}
