//! Work that a thread shares with the pool's threads, doing its part itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;

/// Waking a thread takes as long as a short item, and on busy cores it starts late or is preempted in the middle of one. So a thread is
/// asked for help only if there are this many items for it.
const ITEMS_FOR_ONE: usize = 4;

/// Does `work` on each item, on the caller's thread and on threads of the pool. Results are in the order of the items; one is `None`
/// only if `work` panicked on a thread of the pool.
///
/// Unlike a parallel iterator it does not wait for threads that have not begun: on a busy machine they start late, and by then the
/// caller has done everything.
pub(super) fn map<T, R>(items: Vec<T>, work: impl Fn(&T) -> R + Send + Sync + 'static) -> Vec<Option<R>>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
{
    let count = items.len();
    let helpers = rayon::current_num_threads().min(count.saturating_sub(1) / ITEMS_FOR_ONE);
    let queue = Arc::new(Queue { items, next: AtomicUsize::new(0), work });
    let (sender, results) = mpsc::channel();
    for _ in 0..helpers {
        let (queue, sender) = (queue.clone(), sender.clone());
        rayon::spawn(move || {
            while let Some(done) = queue.do_next() {
                // Nobody listens if the caller has panicked.
                let _ = sender.send(done);
            }
        });
    }
    drop(sender);
    let mut all: Vec<Option<R>> = std::iter::repeat_with(|| None).take(count).collect();
    let mut open = count;
    while let Some((at, result)) = queue.do_next() {
        all[at] = Some(result);
        open -= 1;
    }
    for (at, result) in results.into_iter().take(open) {
        all[at] = Some(result);
    }
    all
}

struct Queue<T, F> {
    items: Vec<T>,
    next: AtomicUsize,
    work: F,
}

impl<T, F> Queue<T, F> {
    /// Takes the next item and does it; returns its place and the result.
    fn do_next<R>(&self) -> Option<(usize, R)>
    where
        F: Fn(&T) -> R,
    {
        let at = self.next.fetch_add(1, Relaxed);
        self.items.get(at).map(|item| (at, (self.work)(item)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_item_is_done_once_and_stands_in_its_place() {
        for count in [0, 1, 2, 7, 1000] {
            let squares = map((0..count).collect(), |&n: &u64| n * n);
            assert_eq!(squares, (0..count).map(|n| Some(n * n)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_others_have_begun_is_waited_for() {
        let slow = map((0..20).collect(), |&n: &u64| {
            std::thread::sleep(Duration::from_millis(n % 4));
            n
        });
        assert_eq!(slow, (0..20).map(Some).collect::<Vec<_>>());
    }
}
