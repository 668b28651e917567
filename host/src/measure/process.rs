//! What the system says of this process: memory, files, processor time, and where its threads stand.

use std::fs;

/// What the system says of this process. A number that it does not tell is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Process {
    /// Memory in use, in bytes.
    pub resident_bytes: u64,
    /// Open files, sockets included.
    pub open_files: u64,
    /// Processor time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// When it began, in seconds since 1970.
    pub start_time: f64,
    /// Its threads.
    pub threads: u64,
}

/// Ticks of a second in `/proc`, on every Linux of today.
const TICKS: f64 = 100.0;

impl Process {
    /// Asks the system.
    #[must_use]
    pub fn of_this() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let field = |number: usize| field(&stat, number).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let boot = boot.lines().find_map(|line| line.strip_prefix("btime ")?.parse().ok()).unwrap_or(0.0);
        Self {
            resident_bytes: resident.unwrap_or(0u64) * 1024,
            // The directory that is being read is one of them.
            open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| files.count().saturating_sub(1) as u64),
            cpu_seconds: (field(14) + field(15)) / TICKS,
            start_time: boot + field(22) / TICKS,
            threads: field(20) as u64,
        }
    }
}

/// A field of a line of `/proc/.../stat`, by its number in the manual; from the third one on, since the second may have blanks.
fn field(stat: &str, number: usize) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(number.checked_sub(3)?)
}

/// Where the threads of this process stand: a line for each, with its name, its state and what of the kernel it waits in.
#[must_use]
pub fn threads() -> Vec<String> {
    let mut lines: Vec<String> = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
        .map(|task| {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let (name, stat, waits_in) = (read("comm"), read("stat"), read("wchan"));
            let state = field(&stat, 3).unwrap_or("?");
            let ticks = |number| field(&stat, number).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
            let seconds = (ticks(14) + ticks(15)) / TICKS;
            let waits_in = match waits_in.trim() {
                "" | "0" => "",
                place => &format!(", in {place}"),
            };
            format!(
                "{} {}: state {state}{waits_in}, {seconds:.2} s of processor time",
                name.trim(),
                task.file_name().display()
            )
        })
        .collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_this_process() {
        let process = Process::of_this();
        assert!(process.resident_bytes > 1 << 20 && process.open_files >= 3 && process.threads >= 1, "{process:?}");
        assert!(process.start_time > 1.6e9, "{process:?}");
    }

    #[test]
    fn a_thread_is_named() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("to be found".into()).spawn(move || ended.recv()).unwrap();
        // A thread has its name a moment after it was begun.
        while !threads().iter().any(|line| line.starts_with("to be found ") && line.contains("state ")) {
            std::thread::yield_now();
        }
        drop(end);
        let _ = thread.join();
    }
}
