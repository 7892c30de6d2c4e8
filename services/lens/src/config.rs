//! The settings of lens.

use std::{
    collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration,
};

use serde::{Deserialize, Serialize, de};

use crate::{clock::Clock, store};

/// The settings of lens; every one has a default that works on a laptop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Config {
    /// The address for queries (Jaeger's API and lens' own) and for OTLP over HTTP.
    pub listen: SocketAddr,
    /// The address for OTLP over gRPC.
    pub otlp_listen: SocketAddr,
    /// The memory for traces, log lines and what is counted from them, as `40MiB`. When it is full, the oldest data is dropped.
    pub memory: Size,
    /// How lens scrapes the services' metrics.
    pub scrape: Scrape,
    /// How much of the scraped metrics lens keeps.
    pub metrics: Kept,
    /// How lens evaluates Prometheus' rules over the metrics that it scrapes.
    pub rules: Rules,
    /// How flows are recognized in spans.
    pub flow: Flow,
    /// Where lens keeps its data over a restart.
    pub keep: Keep,
    /// Whether lens may change something in the mesh.
    pub operate: Operate,
    /// The time that counts as now, as `2026-01-02T03:04:05Z`; empty: the machine's. `mesh up --replay` sets it to the end of the
    /// recorded run.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8087)),
            otlp_listen: SocketAddr::from(([127, 0, 0, 1], 8107)),
            memory: Size(40 << 20),
            scrape: Scrape::default(),
            metrics: Kept::default(),
            rules: Rules::default(),
            flow: Flow::default(),
            keep: Keep::default(),
            operate: Operate::default(),
            clock: Clock::default(),
        }
    }
}

/// Where lens keeps its data over a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keep {
    /// The folder for the files; empty: nothing is kept. `mesh up` sets it to `.mesh/lens`.
    pub folder: String,
    /// The maximum size of the files together, as `64MiB`. What does not fit is left out, oldest first.
    pub size: Size,
    /// The interval between two saves: so much may be lost if lens is killed. A stop saves everything.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self { folder: String::new(), size: Size(64 << 20), every: Duration::from_secs(60) }
    }
}

/// Whether lens may change something in the mesh: replay or discard dead letters, send an event that no service can read, set log
/// levels.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Operate {
    /// Whether requests that change something are served. Everybody who reaches the front door may then send them, so it is off by
    /// default; `mesh up`, Compose and the local overlay turn it on.
    pub enabled: bool,
}

/// How much of the scraped metrics lens keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The memory for samples, their labels and exemplars, beside the `memory` for traces and log lines. It is taken only as it is
    /// needed: 4,500 series for 30 minutes need less than the default. When it is full, the oldest samples are dropped.
    pub memory: Size<1>,
    /// How long samples are kept.
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    /// The maximum of series. Further ones are refused.
    pub series: usize,
}

impl Default for Kept {
    fn default() -> Self {
        let timeseries::Options { bytes, retention, series } = timeseries::Options::default();
        Self { memory: Size(bytes), retention, series }
    }
}

impl From<Kept> for timeseries::Options {
    fn from(kept: Kept) -> Self {
        Self { bytes: kept.memory.bytes(), retention: kept.retention, series: kept.series }
    }
}

/// How lens scrapes the services' metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scrape {
    /// The interval between two scrapes.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// How long to wait for an answer.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The targets: a service's name and the URL of its metrics, e.g. `orders = "http://127.0.0.1:9001/metrics"`.
    pub targets: BTreeMap<String, String>,
}

impl Default for Scrape {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            targets: BTreeMap::new(),
        }
    }
}

/// How lens evaluates Prometheus' rules over the metrics that it scrapes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rules {
    /// Whether rules are evaluated. They are not if nothing is scraped, either.
    pub enabled: bool,
    /// The interval between two evaluations of groups that name none.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// Rule files to evaluate instead of those of the mesh, e.g. `["/etc/mesh/alerts.yaml"]`.
    pub files: Vec<PathBuf>,
    /// The URL at which people reach Prometheus' API of lens; links in alerts are made from it.
    pub external_url: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            enabled: true,
            every: Duration::from_secs(5),
            files: Vec::new(),
            external_url: "http://127.0.0.1:8080/prometheus/".to_owned(),
        }
    }
}

/// The attributes of spans from which flows are read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flow {
    /// The attribute with the id of a flow, such as an order.
    pub id: String,
    /// The attribute with the state that the flow has reached.
    pub state: String,
    /// The final states.
    pub last: Vec<String>,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            id: "order.id".to_owned(),
            state: "order.status".to_owned(),
            last: vec!["completed".to_owned(), "cancelled".to_owned()],
        }
    }
}

impl From<Flow> for store::Rules {
    fn from(flow: Flow) -> Self {
        Self { id: flow.id, state: flow.state, last: flow.last }
    }
}

/// An amount of memory, written as `64MiB`, with a minimum: with less than 16 MiB, indexes and counters would leave no room for
/// traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size<const LEAST_MIB: usize = 16>(usize);

const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("", 0)];

impl<const LEAST_MIB: usize> Size<LEAST_MIB> {
    /// The amount in bytes.
    pub fn bytes(self) -> usize {
        self.0
    }
}

impl<const LEAST_MIB: usize> FromStr for Size<LEAST_MIB> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || {
            format!(
                "{text:?} is no size from {LEAST_MIB}MiB on; expected a number and MiB or GiB, as 64MiB"
            )
        };
        let (unit, shift) =
            UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(expected)?;
        let number: usize =
            text.trim_end_matches(unit).trim_end().parse().map_err(|_| expected())?;
        let bytes = number.checked_mul(1 << shift).filter(|bytes| *bytes >= LEAST_MIB << 20);
        Ok(Self(bytes.ok_or_else(expected)?))
    }
}

impl<const LEAST_MIB: usize> fmt::Display for Size<LEAST_MIB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, shift) =
            UNITS.iter().find(|(_, shift)| self.0.trailing_zeros() >= *shift).unwrap_or(&("", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

impl<const LEAST_MIB: usize> Serialize for Size<LEAST_MIB> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const LEAST_MIB: usize> Deserialize<'de> for Size<LEAST_MIB> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written_the_same() {
        for text in ["64MiB", "1GiB", "17000KiB", "16777217"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("67108864".parse::<Size>().unwrap().to_string(), "64MiB");
        assert_eq!("12MiB".parse::<Size<1>>().unwrap().bytes(), 12 << 20);
        assert!("1KiB".parse::<Size<1>>().unwrap_err().contains("from 1MiB on"));
        for bad in ["", "MiB", "64MB", "-1MiB", "15MiB", "99999999999999GiB"] {
            assert!(bad.parse::<Size>().unwrap_err().contains("expected a number"), "{bad}");
        }
    }
}
