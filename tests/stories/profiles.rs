//! An operator profiles a service under load.

use std::{fs, io::Read};

use flate2::read::GzDecoder;
use harness::{Mesh, Options};

/// The memory that a pod of 32 MiB has left beside a service, in bytes.
const ROOM: u64 = 8 << 20;
/// The same, including the pages of the binary that the profiler reads, which the kernel takes back when it needs them: the
/// tables of a debug build are several times those of a release.
const ROOM_WITH_FILES: u64 = 16 << 20;

/// A profile names the functions that ran, those of C libraries included, within the memory that a small pod has left, while
/// orders flow.
pub(crate) async fn a_cpu_profile_fits_into_a_small_pod(options: Options) {
    let mesh = options.start().await;
    // First the service allocates its own memory: connections, statements, buffers.
    for _ in 0..20 {
        complete_one(&mesh).await;
    }
    let orders = mesh.service("orders").await;
    let process = format!("/proc/{}", orders.pid.expect("it runs"));
    let (before, own) = (of_status(&process, "VmRSS:"), of_status(&process, "RssAnon:"));
    fs::write(format!("{process}/clear_refs"), "5").expect("the peak can be forgotten");
    let url = format!("{}/debug/pprof/profile?seconds=3", orders.admin.expect("its port"));
    let text = profile_under_load(&mesh, &url).await;
    for name in ["tokio::runtime::", "chassis::", "orders::"] {
        assert!(text.contains(name), "{name} is in no name of {} bytes", text.len());
    }
    let (peak, after) = (of_status(&process, "VmHWM:"), of_status(&process, "RssAnon:"));
    assert!(after < own + ROOM, "{own} bytes of its own before, {after} after");
    assert!(peak < before + ROOM_WITH_FILES, "{before} bytes before, at most {peak} meanwhile");
    mesh.audit().await;
}

/// What is readable of a profile that is taken at this URL while orders flow: it has the names of functions.
pub(crate) async fn profile_under_load(mesh: &Mesh, url: &str) -> String {
    let mut profile = Box::pin(reqwest::get(url));
    let answer = loop {
        tokio::select! {
            answer = &mut profile => break answer.expect("an answer"),
            () = complete_one(mesh) => {}
        }
    };
    assert_eq!(answer.status(), 200);
    let (profile, mut bytes) = (answer.bytes().await.expect("a profile"), Vec::new());
    GzDecoder::new(&profile[..]).read_to_end(&mut bytes).expect("it is gzipped");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Places an order, and waits for its end.
pub(crate) async fn complete_one(mesh: &Mesh) {
    let order = mesh.gateway().place("tok_ok").await;
    mesh.gateway().until_status(&order, "completed").await;
}

/// A number of `/proc/…/status`, in bytes.
fn of_status(process: &str, name: &str) -> u64 {
    let status = fs::read_to_string(format!("{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}
