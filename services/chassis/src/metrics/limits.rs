//! The limits of this process' cgroup, and how much of them is used: a pod is killed at its own limit, not at the machine's.
//! <https://docs.kernel.org/admin-guide/cgroup-v2.html>

use std::{
    fs,
    path::{Path, PathBuf},
};

use prometheus::{
    Counter, Gauge, IntCounter,
    core::{Collector, Desc},
    proto::MetricFamily,
};

/// From this value on, version 1 means "no limit": the exact number depends on the page size.
const UNLIMITED: u64 = 1 << 62;

/// The files that contain the numbers, of version 2 or 1.
struct Cgroup {
    /// The folders with memory limits, innermost first: the limits of parent groups apply, too.
    memory: Vec<PathBuf>,
    processor: Vec<PathBuf>,
    process: PathBuf,
}

impl Cgroup {
    fn own() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::at(Path::new("/sys/fs/cgroup"), &own, Path::new("/proc"))
    }

    /// `own` is the content of `/proc/self/cgroup`.
    fn at(root: &Path, own: &str, process: &Path) -> Self {
        Self {
            memory: folders(root, own, "memory"),
            processor: folders(root, own, "cpu"),
            process: process.to_owned(),
        }
    }

    /// The lowest memory limit and the usage of that group, in bytes; `None` without a limit.
    fn memory(&self) -> Option<(u64, u64)> {
        let limited = self.memory.iter().filter_map(|folder| {
            let limit = number(folder, "memory.max")
                .or_else(|| number(folder, "memory.limit_in_bytes"))
                .filter(|limit| *limit < UNLIMITED)?;
            let used = number(folder, "memory.current")
                .or_else(|| number(folder, "memory.usage_in_bytes"))?;
            // The kernel reclaims inactive file pages before it kills; Kubernetes subtracts them, too.
            let spare = value(folder, "memory.stat", "inactive_file").unwrap_or_default();
            Some((limit, used.saturating_sub(spare)))
        });
        limited.min_by_key(|(limit, _)| *limit)
    }

    /// The machine's memory, and this process' usage of it, in bytes.
    fn machine(&self) -> (u64, u64) {
        let kilobytes = |file, name| value(&self.process, file, name).unwrap_or_default() * 1024;
        (kilobytes("meminfo", "MemTotal:"), kilobytes("self/status", "VmRSS:"))
    }

    fn kills(&self) -> u64 {
        let folder = self.memory.first();
        let kills = folder.and_then(|folder| {
            value(folder, "memory.events", "oom_kill")
                .or_else(|| value(folder, "memory.oom_control", "oom_kill"))
        });
        kills.unwrap_or_default()
    }

    /// The lowest CPU limit, in cores; `None` without a limit.
    fn cores(&self) -> Option<f64> {
        let limits = self.processor.iter().filter_map(|folder| {
            let (quota, period) = match text(folder, "cpu.max") {
                Some(both) => {
                    let (quota, period) = both.trim().split_once(' ')?;
                    (quota.parse::<f64>().ok()?, period.parse::<f64>().ok()?)
                }
                // "No limit" is -1, which does not parse as such a number.
                None => (
                    number(folder, "cpu.cfs_quota_us")? as f64,
                    number(folder, "cpu.cfs_period_us")? as f64,
                ),
            };
            Some(quota / period)
        });
        limits.min_by(f64::total_cmp)
    }

    /// The number of periods, the number of those in which the group was throttled, and the seconds that it was throttled for.
    fn throttled(&self) -> (u64, u64, f64) {
        let Some(folder) = self.processor.first() else { return (0, 0, 0.0) };
        let of = |name| value(folder, "cpu.stat", name);
        let seconds = of("throttled_usec").map(|micros| micros as f64 / 1e6);
        let seconds = seconds.or_else(|| of("throttled_time").map(|nanos| nanos as f64 / 1e9));
        let (periods, throttled) = (of("nr_periods"), of("nr_throttled"));
        (periods.unwrap_or_default(), throttled.unwrap_or_default(), seconds.unwrap_or_default())
    }
}

/// The existing folders of a controller, innermost first: of version 2 (`0::/path`), or of version 1 (`4:memory:/path`).
fn folders(root: &Path, own: &str, controller: &str) -> Vec<PathBuf> {
    let groups = own.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        let path = path.trim_start_matches('/');
        let top = if controllers.is_empty() {
            root.to_owned()
        } else if controllers.split(',').any(|name| name == controller) {
            root.join(controller)
        } else {
            return None;
        };
        Some((top.join(path), top))
    });
    let mut folders = Vec::new();
    for (group, top) in groups {
        // In a container with version 1, the path is the host's, but the mount begins at the container's own group.
        let up = group.ancestors().take_while(|folder| folder.starts_with(&top));
        folders.extend(up.filter(|folder| folder.is_dir()).map(Path::to_owned));
    }
    folders
}

fn text(folder: &Path, file: &str) -> Option<String> {
    fs::read_to_string(folder.join(file)).ok()
}

/// The number that the file consists of; `None` also for `max`.
fn number(folder: &Path, file: &str) -> Option<u64> {
    text(folder, file)?.trim().parse().ok()
}

/// The number after the name at the beginning of a line.
fn value(folder: &Path, file: &str, name: &str) -> Option<u64> {
    let text = text(folder, file)?;
    let mut lines = text.lines().map(str::split_ascii_whitespace);
    lines.find_map(|mut words| (words.next()? == name).then(|| words.next()?.parse().ok())?)
}

/// The limits and their usage as metrics.
pub(super) struct Limits {
    cgroup: Cgroup,
    memory_limit: Gauge,
    memory_used: Gauge,
    kills: IntCounter,
    cores: Gauge,
    periods: IntCounter,
    throttled_periods: IntCounter,
    throttled: Counter,
}

impl Limits {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            cgroup: Cgroup::own(),
            memory_limit: Gauge::new(
                "mesh_memory_limit_bytes",
                "Memory that this process' container may use; the machine's where it has no limit.",
            )?,
            memory_used: Gauge::new(
                "mesh_memory_used_bytes",
                "What counts against mesh_memory_limit_bytes, without what the kernel can take back.",
            )?,
            kills: IntCounter::new(
                "mesh_memory_oom_kills_total",
                "Processes of this container that were killed because it reached its limit of memory.",
            )?,
            cores: Gauge::new(
                "mesh_cpu_limit_cores",
                "Cores that this process' container may use; the machine's where it has no limit.",
            )?,
            periods: IntCounter::new(
                "mesh_cpu_periods_total",
                "Periods (of 100 ms, as a rule) in which the limit of cores was enforced.",
            )?,
            throttled_periods: IntCounter::new(
                "mesh_cpu_throttled_periods_total",
                "Those of mesh_cpu_periods_total in which this container had to wait.",
            )?,
            throttled: Counter::new(
                "mesh_cpu_throttled_seconds_total",
                "Seconds that threads of this container had to wait because of the limit of cores.",
            )?,
        })
    }

    fn all(&self) -> [&dyn Collector; 7] {
        [
            &self.memory_limit,
            &self.memory_used,
            &self.kills,
            &self.cores,
            &self.periods,
            &self.throttled_periods,
            &self.throttled,
        ]
    }
}

impl Collector for Limits {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (machine, resident) = self.cgroup.machine();
        // A limit above the machine's memory is no limit.
        let limited = self.cgroup.memory().filter(|(limit, _)| machine == 0 || *limit < machine);
        let (limit, used) = limited.unwrap_or((machine, resident));
        self.memory_limit.set(limit as f64);
        self.memory_used.set(used as f64);
        let machine = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        self.cores.set(self.cgroup.cores().unwrap_or(machine).min(machine));
        let (periods, throttled_periods, throttled) = self.cgroup.throttled();
        for (counter, value) in [
            (&self.kills, self.cgroup.kills()),
            (&self.periods, periods),
            (&self.throttled_periods, throttled_periods),
        ] {
            counter.reset();
            counter.inc_by(value);
        }
        self.throttled.reset();
        self.throttled.inc_by(throttled);
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates files in a folder that stands for `/sys/fs/cgroup` and `/proc`.
    fn cgroup(own: &str, files: &[(&str, &str)]) -> (Cgroup, tempfile::TempDir) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (Cgroup::at(root.path(), own, root.path()), root)
    }

    #[test]
    fn a_container_of_version_2_has_its_limits_at_the_root() {
        let (cgroup, _files) = cgroup(
            "0::/\n",
            &[
                ("memory.max", "33554432\n"),
                ("memory.current", "20000000\n"),
                ("memory.stat", "anon 7\nfile 5000000\ninactive_file 4000000\nactive_file 1\n"),
                ("memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"),
                ("cpu.max", "50000 100000\n"),
                (
                    "cpu.stat",
                    "usage_usec 9\nnr_periods 40\nnr_throttled 10\nthrottled_usec 2500000\n",
                ),
            ],
        );
        assert_eq!(cgroup.memory(), Some((33_554_432, 16_000_000)));
        assert_eq!((cgroup.kills(), cgroup.cores()), (2, Some(0.5)));
        assert_eq!(cgroup.throttled(), (40, 10, 2.5));
    }

    #[test]
    fn the_lowest_limit_of_all_parents_counts() {
        let (cgroup, _files) = cgroup(
            "0::/pods/one/app\n",
            &[
                ("pods/memory.max", "100\n"),
                ("pods/memory.current", "60\n"),
                ("pods/one/memory.max", "50\n"),
                ("pods/one/memory.current", "30\n"),
                ("pods/one/app/memory.max", "max\n"),
                ("pods/one/app/memory.current", "20\n"),
                ("pods/cpu.max", "max 100000\n"),
                ("pods/one/cpu.max", "300000 100000\n"),
            ],
        );
        assert_eq!((cgroup.memory(), cgroup.cores()), (Some((50, 30)), Some(3.0)));
    }

    #[test]
    fn version_1_has_a_folder_for_each_controller() {
        let (cgroup, _files) = cgroup(
            "5:cpuacct,cpu:/docker/one\n4:memory:/docker/one\n0::/\n",
            &[
                // As in a container: the mount begins at the container's own group.
                ("memory/memory.limit_in_bytes", "33554432\n"),
                ("memory/memory.usage_in_bytes", "20000000\n"),
                ("memory/memory.stat", "inactive_file 4000000\ntotal_inactive_file 4000000\n"),
                ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
                ("cpu/cpu.cfs_quota_us", "150000\n"),
                ("cpu/cpu.cfs_period_us", "100000\n"),
                ("cpu/cpu.stat", "nr_periods 4\nnr_throttled 1\nthrottled_time 250000000\n"),
            ],
        );
        assert_eq!(cgroup.memory(), Some((33_554_432, 16_000_000)));
        assert_eq!((cgroup.kills(), cgroup.cores()), (1, Some(1.5)));
        assert_eq!(cgroup.throttled(), (4, 1, 0.25));
    }

    #[test]
    fn no_limit_is_none() {
        for (own, files) in [
            ("0::/\n", &[("memory.max", "max\n"), ("cpu.max", "max 100000\n")][..]),
            (
                "4:memory:/\n3:cpu:/\n",
                &[
                    ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                    ("memory/memory.usage_in_bytes", "1\n"),
                    ("cpu/cpu.cfs_quota_us", "-1\n"),
                    ("cpu/cpu.cfs_period_us", "100000\n"),
                ],
            ),
            ("", &[]),
        ] {
            let (cgroup, _files) = cgroup(own, files);
            assert_eq!((cgroup.memory(), cgroup.cores(), cgroup.kills()), (None, None, 0));
            assert_eq!(cgroup.throttled(), (0, 0, 0.0));
        }
    }

    #[test]
    fn without_a_limit_the_machines_memory_is_the_limit() {
        let (cgroup, _files) = cgroup(
            "0::/\n",
            &[
                ("meminfo", "MemTotal:       16384 kB\nMemFree:        1 kB\n"),
                ("self/status", "Name:\tmesh\nVmRSS:\t    512 kB\n"),
            ],
        );
        assert_eq!(cgroup.machine(), (16 << 20, 512 << 10));
        let (mut limits, registry) = (Limits::new().unwrap(), super::super::Registry::new());
        limits.cgroup = cgroup;
        registry.add(limits).unwrap();
        let text = registry.text();
        for line in ["mesh_memory_limit_bytes 16777216", "mesh_memory_used_bytes 524288"] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }
}
