//! The time that an engine takes, without the time that the machine gives to other processes meanwhile.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Below this an interval is hardly ever interrupted, and the clock of processor time is not read again.
const SHORT: Duration = Duration::from_micros(50);

/// Measures from its start.
pub(crate) struct Stopwatch {
    wall: Instant,
    /// The processor time of this process, all its threads together.
    processor: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        let processor = processor_time();
        Stopwatch { wall: Instant::now(), processor }
    }

    /// The time since the start. Of a long interval the processor time, if it is less: what is missing is the scheduler's.
    pub(crate) fn elapsed(&self) -> Duration {
        let wall = self.wall.elapsed();
        if wall < SHORT { wall } else { wall.min(processor_time().saturating_sub(self.processor)) }
    }

    /// As [`Self::elapsed`], in microseconds.
    pub(crate) fn microseconds(&self) -> f64 {
        self.elapsed().as_secs_f64() * 1e6
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_takes_no_processor_time_and_work_does() {
        let watch = Stopwatch::start();
        std::thread::sleep(Duration::from_millis(20));
        let asleep = watch.elapsed();
        let sum = (0..3_000_000u64).fold(0u64, |sum, n| std::hint::black_box(sum.wrapping_mul(31) ^ n));
        assert!(watch.elapsed() > asleep, "{sum}");
        assert!(asleep < watch.wall.elapsed());
    }
}
