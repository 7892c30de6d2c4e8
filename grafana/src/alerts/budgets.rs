//! An objective is being broken faster than its budget allows: one alert that pages and one that opens a ticket, each with
//! two windows, as in the SRE workbook. The label `window` names the window that fired; the faster one goes first.

use super::{PAGE, SEEN, TICKET, annotations};
use crate::{
    rules::{Alerting, Rule},
    slo::{self, Burn, Slo},
};

/// Two alerts for each objective: a page and a ticket.
pub(super) fn rules() -> Vec<Rule> {
    slo::ALL.iter().flat_map(|slo| [PAGE, TICKET].map(|severity| rule(slo, severity))).collect()
}

fn rule(slo: &Slo, severity: &str) -> Rule {
    let burns: Vec<_> = slo::BURNS.iter().filter(|burn| burn.severity == severity).collect();
    let conditions: Vec<_> = burns.iter().map(|burn| condition(slo, burn)).collect();
    let lasts = burns.last().map(|burn| burn.lasts()).unwrap_or_default();
    let summary =
        format!("{{{{ $value | humanizePercentage }}}} of {} in {{{{ $labels.window }}}}", slo.bad);
    let description = format!(
        "{summary}, and it goes on. Promised: {}. At this rate the budget of {} lasts no longer than {lasts}.",
        slo.promise,
        slo::PERIOD,
    );
    Rule::Alerting(Alerting {
        alert: slo.alert,
        expr: conditions.join("\nor on (slo) "),
        hold: SEEN,
        keep: None,
        labels: [("severity", severity.to_owned())].into(),
        annotations: annotations(slo.alert, summary, description, slo.dashboard),
    })
}

fn condition(slo: &Slo, burn: &Burn) -> String {
    let (name, Burn { factor, long, short, .. }) = (slo.name, burn);
    // The threshold is written as a product, so that it can be read; the objective comes from the recorded series.
    let above = |window: &str| {
        format!(
            "slo:bad:ratio_rate{window}{{slo=\"{name}\"}} > {factor} * (1 - slo:objective:ratio)"
        )
    };
    format!(
        "label_replace(\n  {}\n  and {}\n  and slo:bad:increase{long}{{slo=\"{name}\"}} >= {},\n  \
         \"window\", \"{long}\", \"\", \"\"\n)",
        above(long),
        above(short),
        slo::LEAST_BAD,
    )
}
