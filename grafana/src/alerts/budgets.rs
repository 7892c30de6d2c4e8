//! A promise is being broken faster than its budget allows.

use super::{SEEN, annotations};
use crate::{
    rules::{Alerting, Rule},
    slo::{self, Burn, Slo},
};

/// Each promise at each rate.
pub(super) fn rules() -> Vec<Rule> {
    slo::ALL.iter().flat_map(|slo| slo::BURNS.iter().map(|burn| rule(slo, burn))).collect()
}

fn rule(slo: &Slo, burn: &Burn) -> Rule {
    let Burn { factor, long, short, severity } = burn;
    let name = slo.name;
    // The threshold as a product, so that it can be read; the objective is that of the recorded series.
    let above = |window: &str| {
        format!(
            "slo:bad:ratio_rate{window}{{slo=\"{name}\"}} > {factor} * (1 - slo:objective:ratio)"
        )
    };
    let least = format!("slo:bad:increase{long}{{slo=\"{name}\"}} >= {}", slo::LEAST_BAD);
    let description = format!(
        "{{{{ $value | humanizePercentage }}}} of {} in the last {long}, and it goes on. Promised: {}. \
         At {factor} times what it allows, the budget of {} lasts {}.",
        slo.bad,
        slo.promise,
        slo::PERIOD,
        burn.lasts(),
    );
    let summary =
        format!("{{{{ $value | humanizePercentage }}}} of {} in the last {long}", slo.bad);
    Rule::Alerting(Alerting {
        alert: slo.alert,
        expr: format!("{}\nand {}\nand {least}", above(long), above(short)),
        hold: SEEN,
        labels: [("severity", (*severity).to_owned()), ("window", (*long).to_owned())].into(),
        annotations: annotations(slo.alert, summary, description, slo.dashboard),
    })
}
