//! Finds the program that listens on a port.

use std::fs;
use std::net::SocketAddr;

/// The program that listens on `addr`, as ` by NAME (process ID)`; empty if unknown.
pub(crate) fn user(addr: SocketAddr) -> String {
    let Some(inode) = listening(addr) else { return String::new() };
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        // Skip names such as `self`.
        if process.file_name().to_string_lossy().parse::<u32>().is_err() {
            continue;
        }
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        for file in files {
            if fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str()) {
                let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                return format!(" by {} (process {})", name.trim(), process.file_name().display());
            }
        }
    }
    String::new()
}

/// The inode of the socket that listens on the port, from Linux's tables.
fn listening(addr: SocketAddr) -> Option<String> {
    const LISTEN: &str = "0A";
    let port = format!(":{:04X}", addr.port());
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, _, state) = (fields.next()?, fields.next()?, fields.next()?);
            (local.ends_with(&port) && state == LISTEN).then(|| fields.nth(5).map(str::to_string))?
        })
    })
}
