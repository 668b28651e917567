//! The memory of this process, as Linux reports it.

/// The peak memory of this process in bytes; zero if the system does not report it.
pub(crate) fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

/// Resets the peak to the current memory.
pub(crate) fn reset_peak() {
    // Without this file the peak is not reset. It is then an upper bound.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
