//! When each order is to be sent: at even intervals, whatever happens to earlier orders.

use std::{thread, time::Duration};

use tokio::{sync::mpsc, time::Instant};

/// Sends the time at which each order is meant to be sent, since `begin`, until the duration is over or the receiver is dropped.
///
/// It uses a thread of its own: the async runtime's timers tick in whole milliseconds, a fifth of what an order may take.
pub(super) fn ticks(
    rate: f64,
    duration: Option<Duration>,
    begin: Instant,
) -> mpsc::UnboundedReceiver<Duration> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pace = move || {
        for due in moments(rate, duration) {
            thread::sleep(due.saturating_sub(begin.elapsed()));
            if sender.send(due).is_err() {
                return;
            }
        }
    };
    // Without a thread there are no ticks; the load ends at once, and its report says that nothing was sent.
    thread::Builder::new().name("schedule".into()).spawn(pace).ok();
    receiver
}

fn moments(rate: f64, duration: Option<Duration>) -> impl Iterator<Item = Duration> {
    let all = (0_u64..).map(move |index| Duration::from_secs_f64(index as f64 / rate));
    all.take_while(move |due| duration.is_none_or(|end| *due < end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_are_even_and_end_with_the_duration() {
        let due: Vec<_> =
            moments(4.0, Some(Duration::from_secs(1))).map(|due| due.as_millis()).collect();
        assert_eq!(due, [0, 250, 500, 750]);
        assert_eq!(moments(200.0, Some(Duration::from_secs(60))).count(), 12_000);
    }

    #[tokio::test]
    async fn a_tick_is_never_early() {
        let begin = Instant::now();
        let mut ticks = ticks(200.0, Some(Duration::from_millis(50)), begin);
        let mut count = 0;
        while let Some(due) = ticks.recv().await {
            assert!(begin.elapsed() >= due);
            count += 1;
        }
        assert_eq!(count, 10);
    }
}
