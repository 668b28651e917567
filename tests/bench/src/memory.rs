//! The memory of this process, as Linux tells it.

/// The most memory that this process has had, in bytes; zero where the system does not say.
pub(crate) fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

/// Forgets the peak so far: from here, [`peak`] begins with the memory of this moment.
pub(crate) fn reset_peak() {
    // Where the system has no such file, the peak stays the greater one: an upper bound.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
