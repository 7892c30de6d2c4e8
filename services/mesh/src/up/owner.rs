//! Which process listens on a port. Works only on Linux, and for processes that this user may inspect.

use std::{fs, path::Path};

use chassis::text::printable;

/// The maximum length of a command line: enough to recognize the program.
const LONGEST_COMMAND: usize = 60;
/// The state of a listening socket in `/proc/net/tcp`: <https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html>.
const LISTENS: &str = "0A";

/// The owner of a port, as `process 4711 (python3 -m http.server)`.
pub(super) fn of(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inodes: Vec<_> = tables.iter().flat_map(|table| inodes(table, port)).collect();
    if inodes.is_empty() {
        return None;
    }
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.into_iter().find(|pid| has_any(*pid, &inodes))?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let command = command.trim_end();
    // Only the program's name, without the path to where it is installed.
    let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
    let program = Path::new(program).file_name().and_then(|name| name.to_str()).unwrap_or(program);
    let command = printable(format!("{program} {arguments}").trim_end(), LONGEST_COMMAND);
    Some(format!("process {pid} ({command})"))
}

/// The inodes of the sockets that listen on a port.
fn inodes(table: &str, port: u16) -> Vec<String> {
    let ends_with = format!(":{port:04X}");
    let text = fs::read_to_string(table).unwrap_or_default();
    let inode = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&ends_with) && *fields.get(3)? == LISTENS;
        is_it.then(|| format!("socket:[{}]", fields.get(9).copied().unwrap_or_default()))
    };
    text.lines().filter_map(inode).collect()
}

fn has_any(pid: u32, inodes: &[String]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().any(|file| {
        let target = fs::read_link(file.path()).unwrap_or_default();
        inodes.iter().any(|inode| target == Path::new(inode))
    })
}
