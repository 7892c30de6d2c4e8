//! The service level objectives (SLOs), called promises here: which events count, which share of them must be good, over
//! which windows. They are defined only in this file.
//!
//! Each objective is a share of good events, so that one set of expressions serves all. An event is bad only if the mesh
//! failed a customer: what a customer did to an order, and what a bank refused, is neither good nor bad.

/// The window of the error budget.
pub const PERIOD: &str = "30d";
/// [`PERIOD`], to compute how long a budget lasts.
const PERIOD_HOURS: f64 = 30.0 * 24.0;

/// The windows of [`BURNS`], the shortest first.
pub const WINDOWS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];

/// An order is accepted within this time, in seconds; a bucket of its histogram ends there.
pub const ORDER_WITHIN: &str = "0.1";
/// A flow is complete within this time, in seconds; a bucket of its histogram ends there.
pub const FLOW_WITHIN: &str = "2.0";
/// An event is handled within this time, in seconds; a bucket of its histogram ends there.
pub const EVENT_WITHIN: &str = "1.0";

/// One of these bounds as a number, at which a panel draws its line.
pub fn seconds(within: &str) -> f64 {
    within.parse().expect("the bounds above are numbers")
}

/// How fast an error budget may be used up before an alert fires.
/// <https://sre.google/workbook/alerting-on-slos/>, "Multiwindow, Multi-Burn-Rate Alerts".
#[derive(Clone, Copy, Debug)]
pub struct Burn {
    /// How many times faster than a budget that lasts for [`PERIOD`].
    pub factor: f64,
    /// The long window: the burn has lasted long enough to matter.
    pub long: &'static str,
    /// The short window, a twelfth of the long one: the burn goes on now, so that the alert ends soon after its cause.
    pub short: &'static str,
    /// The severity of the alert: a page or a ticket.
    pub severity: &'static str,
}

/// 2 % of the budget in an hour, 5 % in six, 10 % in one day, 10 % in three.
pub const BURNS: [Burn; 4] = [
    Burn { factor: 14.4, long: "1h", short: "5m", severity: "page" },
    Burn { factor: 6.0, long: "6h", short: "30m", severity: "page" },
    Burn { factor: 3.0, long: "1d", short: "2h", severity: "ticket" },
    Burn { factor: 1.0, long: "3d", short: "6h", severity: "ticket" },
];

/// Fewer bad events than this raise no alert, however few the good ones are: the first order after a start opens every
/// connection and is slow.
pub const LEAST_BAD: u32 = 5;

impl Burn {
    /// How long a whole budget lasts at this rate, as text.
    pub fn lasts(&self) -> String {
        let hours = PERIOD_HOURS / self.factor;
        if hours < 72.0 { format!("{hours:.0} hours") } else { format!("{:.0} days", hours / 24.0) }
    }
}

/// One promise.
#[derive(Clone, Copy, Debug)]
pub struct Slo {
    /// The label `slo` of its series.
    pub name: &'static str,
    /// The share of events that must be good.
    pub objective: f64,
    /// The promise in words, for alerts and panels.
    pub promise: &'static str,
    /// The name of the alert that fires when the promise is being broken.
    pub alert: &'static str,
    /// The bad events in words, as a continuation of "x % of".
    pub bad: &'static str,
    /// The uid of the dashboard to look at first.
    pub dashboard: &'static str,
    counts: Counts,
}

/// The counters from which an objective is computed.
#[derive(Clone, Copy, Debug)]
struct Counts {
    /// The series whose sum is all events.
    events: &'static [&'static str],
    /// The series whose sum is the good events; the rest is bad.
    good: &'static [&'static str],
}

/// Every promise, the most urgent first.
pub const ALL: [Slo; 4] = [
    Slo {
        name: "order-availability",
        objective: 0.999,
        promise: "99.9 % of orders placed are not answered with a server error",
        alert: "MeshOrdersFailing",
        bad: "orders placed were answered with a server error",
        dashboard: "mesh-overview",
        counts: Counts { events: &[ORDERS], good: &[ORDERS_ANSWERED] },
    },
    Slo {
        name: "order-latency",
        objective: 0.99,
        promise: "99 % of orders placed are answered within 100 ms",
        alert: "MeshOrdersSlow",
        bad: "orders placed took longer than 100 ms to be answered",
        dashboard: "mesh-overview",
        counts: Counts { events: &[ORDERS_ANSWERED], good: &[ORDERS_SOON] },
    },
    Slo {
        name: "flow-completion",
        objective: 0.99,
        promise: "99 % of flows are complete within 2 s",
        alert: "MeshFlowsLate",
        bad: "flows took longer than 2 s, or were given up,",
        dashboard: "mesh-flows",
        counts: Counts { events: &[FLOWS_COMPLETED, FLOWS_GIVEN_UP], good: &[FLOWS_SOON] },
    },
    Slo {
        name: "event-freshness",
        objective: 0.99,
        promise: "99 % of events are handled within 1 s of being published",
        alert: "MeshEventsLate",
        bad: "events were handled more than 1 s after they were published",
        dashboard: "mesh-events",
        counts: Counts { events: &[EVENTS], good: &[EVENTS_SOON] },
    },
];

const ORDERS: &str = r#"http_server_request_duration_seconds_count{job="gateway",http_request_method="POST",http_route="/api/orders"}"#;
const ORDERS_ANSWERED: &str = r#"http_server_request_duration_seconds_count{job="gateway",http_request_method="POST",http_route="/api/orders",http_response_status_code!~"5.."}"#;
const ORDERS_SOON: &str = r#"http_server_request_duration_seconds_bucket{job="gateway",http_request_method="POST",http_route="/api/orders",http_response_status_code!~"5..",le="ORDER_WITHIN"}"#;
const FLOWS_COMPLETED: &str = r#"mesh_flow_duration_seconds_count{outcome="completed"}"#;
const FLOWS_SOON: &str =
    r#"mesh_flow_duration_seconds_bucket{outcome="completed",le="FLOW_WITHIN"}"#;
/// Cancellations that are the mesh's fault: the third party did not answer for the payment, or the stock was not held long
/// enough. A declined payment and a customer's change of mind are left out: the mesh did what was asked.
pub const FLOWS_GIVEN_UP: &str =
    r#"mesh_orders_cancelled_total{reason=~"payment_unavailable|reservation_expired"}"#;
const EVENTS: &str = "mesh_event_delay_seconds_count";
const EVENTS_SOON: &str = r#"mesh_event_delay_seconds_bucket{le="EVENT_WITHIN"}"#;

impl Slo {
    /// The share of events that may be bad.
    pub fn budget(&self) -> f64 {
        1.0 - self.objective
    }

    /// How many events there were in a window.
    pub fn number(&self, window: &str) -> String {
        sum(self.counts.events, "increase", window)
    }

    /// How many of them were bad. Rounding must not yield a negative number.
    pub fn bad_number(&self, window: &str) -> String {
        let sum = |series| sum(series, "increase", window);
        let (events, good) = (sum(self.counts.events), sum(self.counts.good));
        format!("clamp_min(\n  {events}\n  - {good},\n  0\n)")
    }

    /// The share of events that were bad in a window; 0 where there were no events.
    pub fn bad_ratio(&self, window: &str) -> String {
        let sum = |series| sum(series, "rate", window);
        let (good, events) = (sum(self.counts.good), sum(self.counts.events));
        format!("clamp_min(\n  1 - {good}\n  / ({events} > 0),\n  0\n)\nor vector(0)")
    }
}

/// The sum of counters. A counter without series counts as 0, so that the sum of the others is not lost.
fn sum(series: &[&str], function: &str, window: &str) -> String {
    let one = |series: &&str| {
        let series = series
            .replace("ORDER_WITHIN", ORDER_WITHIN)
            .replace("FLOW_WITHIN", FLOW_WITHIN)
            .replace("EVENT_WITHIN", EVENT_WITHIN);
        format!("(sum({function}({series}[{window}])) or vector(0))")
    };
    let all = series.iter().map(one).collect::<Vec<_>>();
    if let [one] = all.as_slice() { one.clone() } else { format!("({})", all.join("\n    + ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_burn_rate_has_recorded_windows() {
        for burn in BURNS {
            assert!(WINDOWS.contains(&burn.long) && WINDOWS.contains(&burn.short), "{burn:?}");
        }
    }

    #[test]
    fn burn_rates_spend_the_budget_in_the_documented_time() {
        assert_eq!(BURNS.map(|burn| burn.lasts()), ["50 hours", "5 days", "10 days", "30 days"]);
    }

    #[test]
    fn each_promise_states_its_objective() {
        for slo in ALL {
            let share = format!("{} %", (slo.objective * 1e4).round() / 100.0);
            assert!(slo.promise.starts_with(&share), "{} of {}", share, slo.name);
        }
    }
}
