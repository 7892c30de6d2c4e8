//! What production's Collector keeps: traces with errors, slow traces, and a share of the others.

use std::{fs, time::Duration};

use harness::{Samples, until};

use crate::{
    otlp,
    stack::{Stack, root, script},
};

const PARTS: &str = "tests/real/parts.sh";
/// A trace that takes longer than this is slow.
const SLOW: Duration = Duration::from_millis(500);
/// The number of other traces; about half of them should be kept.
const OTHERS: usize = 200;

#[tokio::test]
#[ignore = "needs Collector and Jaeger: .ci/run has them"]
async fn tail_sampling_keeps_errors_and_slow_flows() {
    let stack = Stack::running();
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().to_str().expect("a name").to_owned();
    for file in ["collector.yaml", "sampling.yaml"] {
        let from = root().join("deploy/components/observability/otel").join(file);
        fs::copy(from, folder.path().join(file)).expect("our own configuration");
    }
    fs::copy(root().join("tests/bundle/lines.yaml"), folder.path().join("lines.yaml"))
        .expect("our own file");
    let jaeger = stack.folder.join("jaeger");
    let jaeger = script(PARTS, &["address", "jaeger", &jaeger.to_string_lossy(), "otlp"]).await;
    let settings = format!(
        "JAEGER_OTLP={jaeger}\nLINES={place}/lines.json\nSAMPLING_WAIT=1s\nSAMPLING_SLOW_MS={}\nSAMPLING_PERCENT=50\n",
        SLOW.as_millis()
    );
    fs::write(folder.path().join("environment"), settings).expect("a file");
    script(PARTS, &["start", "otelcol", &place]).await;
    let address = async |name| {
        format!("http://{}", script(PARTS, &["address", "otelcol", &place, name]).await)
    };
    let (http, metrics) = (address("http").await, address("metrics").await);

    let kept = kept(&stack, &http, &metrics).await;
    script(PARTS, &["stop", "otelcol", &place]).await;
    // Like 200 coin tosses: 80 off the middle are eleven standard deviations.
    assert!((20..=180).contains(&kept), "{kept} of {OTHERS} others");
}

/// Sends traces of all kinds, waits until the Collector has decided on all and sent the kept ones, and counts the others in
/// Jaeger.
async fn kept(stack: &Stack, collector: &str, metrics: &str) -> usize {
    let fast = Duration::from_millis(5);
    let (failed, slow) = (otlp::trace_id(), otlp::trace_id());
    let others: Vec<_> = (0..OTHERS).map(|_| otlp::trace_id()).collect();
    let mut spans = vec![otlp::span(&failed, fast, true), otlp::span(&slow, 2 * SLOW, false)];
    spans.extend(others.iter().map(|id| otlp::span(id, fast, false)));
    otlp::send(collector, "/v1/traces", &otlp::traces(&[("service.name", "by-hand")], spans)).await;
    let sampled = sent(metrics).await;
    stack.until_trace(&failed).await;
    stack.until_trace(&slow).await;
    let mut kept = 0;
    for id in &others {
        kept += usize::from(stack.trace(id).await.is_some());
    }
    assert_eq!(kept + 2, sampled, "Jaeger has what the Collector says that it sent");
    kept
}

/// The number of traces that the Collector keeps, once it has decided on all of them and Jaeger has acknowledged the kept
/// ones.
async fn sent(metrics: &str) -> usize {
    until("the Collector to decide on every trace and to send those that it keeps", || async {
        let samples = Samples::read(&harness::text(&format!("{metrics}/metrics")).await?);
        let decided = |decision| {
            let name = "otelcol_processor_tail_sampling_global_count_traces_sampled_total";
            samples.sum(name, &[("sampled", decision)])
        };
        // Each of these traces is one span.
        let sent = samples.sum("otelcol_exporter_sent_spans_total", &[]);
        let all = decided("true") + decided("false") == (OTHERS + 2) as f64;
        (all && sent == decided("true")).then_some(sent as usize)
    })
    .await
}
