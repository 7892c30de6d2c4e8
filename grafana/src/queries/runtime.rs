//! The resources that the processes use: processor, memory, the async runtime, the database, the cache.

use super::{largest, quantile, rate};

const THIS: &str = "{service=~\"$service\"}";

/// Cores in use.
pub fn cpu() -> String {
    rate(&format!("process_cpu_seconds_total{THIS}"), "service, instance")
}

/// Resident memory.
pub fn memory() -> String {
    format!("sum by (service, instance) (process_resident_memory_bytes{THIS})")
}

/// The used share of the memory limit.
pub fn memory_of_limit() -> String {
    format!(
        "max by (service, instance) (mesh_memory_used_bytes{THIS} / mesh_memory_limit_bytes{THIS})"
    )
}

/// Processes that were killed because their container reached its memory limit, in the time range shown.
pub fn memory_kills() -> String {
    super::increase(&format!("mesh_memory_oom_kills_total{THIS}"), "service")
}

/// The used share of the processor limit.
pub fn cpu_of_limit() -> String {
    format!(
        "sum by (service, instance) (rate(process_cpu_seconds_total{THIS}[$__rate_interval])) / sum by (service, instance) (mesh_cpu_limit_cores{THIS})"
    )
}

/// The share of the periods with a limit in which a process was throttled; 0 where no such period was counted.
pub fn cpu_throttled() -> String {
    format!(
        "sum by (service, instance) (rate(mesh_cpu_throttled_periods_total{THIS}[$__rate_interval])) / (sum by (service, instance) (rate(mesh_cpu_periods_total{THIS}[$__rate_interval])) > 0) or 0 * sum by (service, instance) (mesh_cpu_limit_cores{THIS})"
    )
}

/// Seconds per second for which the threads of a process were throttled.
pub fn cpu_waiting() -> String {
    rate(&format!("mesh_cpu_throttled_seconds_total{THIS}"), "service, instance")
}

/// Open files and sockets, of those allowed.
pub fn files() -> String {
    format!("max by (service, instance) (process_open_fds{THIS} / process_max_fds{THIS})")
}

/// Threads.
pub fn threads() -> String {
    format!("sum by (service, instance) (process_threads{THIS})")
}

/// The share of the time in which the runtime's workers are busy.
pub fn busy() -> String {
    format!(
        "sum by (service, instance) (rate(tokio_busy_seconds_total{THIS}[$__rate_interval])) / sum by (service, instance) (tokio_workers{THIS})"
    )
}

/// Tasks that have not ended.
pub fn tasks() -> String {
    format!("sum by (service, instance) (tokio_live_tasks{THIS})")
}

/// Tasks that wait for a worker.
pub fn queued() -> String {
    format!("sum by (service, instance) (tokio_global_queue_depth{THIS})")
}

/// How often a worker found no task to run.
pub fn parks() -> String {
    rate(&format!("tokio_parks_total{THIS}"), "service")
}

/// Panics that were caught, in the time range shown.
pub fn panics() -> String {
    super::increase(&format!("mesh_panics_total{THIS}"), "service")
}

/// The same, for all services.
pub fn panics_of_all() -> String {
    "sum(increase(mesh_panics_total[$__range]))".into()
}

/// Starts in the time range shown.
pub fn restarts() -> String {
    format!("sum by (service) (changes(process_start_time_seconds{THIS}[$__range]))")
}

/// Transactions and reads per second.
pub fn database() -> String {
    largest(&rate(
        &format!("db_client_operation_duration_seconds_count{THIS}"),
        "service, db_operation_name",
    ))
}

/// How long they take: a quantile.
pub fn database_latency(share: f64) -> String {
    largest(&quantile(
        share,
        &format!("db_client_operation_duration_seconds{THIS}"),
        "service, db_operation_name",
    ))
}

/// Whether each database answers.
pub fn database_up() -> String {
    format!("min by (service) (mesh_database_up{THIS})")
}

/// The share of the connections to its database that a service uses.
pub fn pool() -> String {
    let used = THIS.replace('}', ", db_client_connection_state=\"used\"}");
    format!(
        "sum by (service) (db_client_connection_count{used}) / sum by (service) (db_client_connection_max{THIS})"
    )
}

/// Lookups in a cache, by outcome.
pub fn cache() -> String {
    rate("mesh_cache_operations_total", "cache, outcome")
}
