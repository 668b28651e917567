//! The machine's memory, for backends that compute in it.

use std::fs;

/// Bytes of available memory (free or reclaimable) by the system: the lesser of the machine's and the control group's.
#[must_use]
pub fn available() -> u64 {
    let number = |text: &str| text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
    let read = |path: &str| fs::read_to_string(path).ok();
    let machine = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        Some(number(line)? * 1024)
    });
    let group = || {
        let limit = number(&read("/sys/fs/cgroup/memory.max")?)?;
        let used = number(&read("/sys/fs/cgroup/memory.current")?)?;
        Some(limit.saturating_sub(used))
    };
    // The default without /proc, which is enough for a small model.
    machine.unwrap_or(4 << 30).min(group().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_memory_is_available() {
        assert!(super::available() > 0);
    }
}
