//! A pool of threads that outlives its jobs: starting a thread costs more than most of the matrix products here.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often a waiting thread looks before it sleeps: some ten microseconds, about the gap between two jobs of one step. Longer
/// would take the core from other programs.
const SPINS: usize = 2_000;

/// Operations below which a piece of work is not worth handing to another thread: some three microseconds, about what it
/// takes until that thread has begun.
const SMALL_PIECE: usize = 125_000;

type Task<'a> = dyn Fn(usize) + Sync + 'a;

#[derive(Clone, Copy)]
struct Job {
    task: *const Task<'static>,
    count: usize,
}

// SAFETY: the pointee is `Sync`, and `Pool::run` keeps it alive until no worker holds a copy of the pointer.
unsafe impl Send for Job {}

#[derive(Default)]
struct State {
    job: Option<Job>,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// Counts jobs, so that a spinning worker sees a new one without taking the lock.
    epoch: AtomicUsize,
    /// The next task of the current job that nobody has taken.
    next: AtomicUsize,
    /// Workers that hold a copy of the current job's pointer.
    active: AtomicUsize,
    failed: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds this lock, and the state is valid at every point.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, job: Job) {
        // SAFETY: `active` was raised under the lock while the job was posted, so `run` still waits and the closure lives.
        let task = unsafe { &*job.task };
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= job.count {
                return;
            }
            task(index);
        }
    }

    fn worker(&self) {
        let mut seen = 0;
        loop {
            for _ in 0..SPINS {
                if self.epoch.load(Ordering::Acquire) != seen {
                    break;
                }
                std::hint::spin_loop();
            }
            let mut state = self.lock();
            while self.epoch.load(Ordering::Acquire) == seen && !state.stop {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stop {
                return;
            }
            seen = self.epoch.load(Ordering::Acquire);
            // A worker that comes late finds no job and goes back to wait: `run` never waits for a thread that did nothing.
            let Some(job) = state.job else { continue };
            self.active.fetch_add(1, Ordering::AcqRel);
            drop(state);
            if catch_unwind(AssertUnwindSafe(|| self.work(job))).is_err() {
                self.failed.store(true, Ordering::Release);
            }
            self.active.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A fixed number of threads, the caller's own among them.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    turn: Mutex<()>,
    smallest_piece: usize,
}

impl Pool {
    /// `threads` counts the calling thread. Fewer workers than asked for is no error: the result's bits do not depend on it.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads.max(1))
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                let name = format!("goldgate-engine-{index}");
                std::thread::Builder::new().name(name).spawn(move || shared.worker()).ok()
            })
            .collect();
        Self { shared, workers, turn: Mutex::new(()), smallest_piece: SMALL_PIECE }
    }

    /// A pool that divides even what is too small for that, so that tests on small models see it divided.
    #[cfg(test)]
    pub(crate) fn eager(threads: usize) -> Self {
        let mut pool = Self::new(threads);
        pool.smallest_piece = 1;
        pool
    }

    /// Operations that a piece of work should have at least.
    pub(crate) fn smallest_piece(&self) -> usize {
        self.smallest_piece
    }

    /// Threads that share the work, the caller's own among them.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task` once for each of `0..count`, in any order and on any of the threads, and returns when all are done.
    /// Panics with the task's panic if one does.
    pub(crate) fn run(&self, count: usize, task: &Task<'_>) {
        if count <= 1 || self.workers.is_empty() {
            (0..count).for_each(task);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let pointer = std::ptr::from_ref(task);
        // SAFETY: only the lifetime changes. The job is withdrawn and `active` awaited before this call returns or unwinds.
        let job = Job { task: unsafe { std::mem::transmute::<*const Task<'_>, *const Task<'static>>(pointer) }, count };
        self.shared.next.store(0, Ordering::Relaxed);
        self.shared.lock().job = Some(job);
        self.shared.epoch.fetch_add(1, Ordering::AcqRel);
        // The lock between the new epoch and the call closes the gap in which a worker has looked but does not sleep yet.
        drop(self.shared.lock());
        self.shared.wake.notify_all();
        let own: Result<(), Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(|| self.shared.work(job)));
        self.shared.lock().job = None;
        let mut looks = 0;
        while self.shared.active.load(Ordering::Acquire) > 0 {
            looks += 1;
            if looks < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let failed = self.shared.failed.swap(false, Ordering::AcqRel);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!failed, "a task panicked on a worker thread");
    }
}

impl Pool {
    /// Calls `task` for each row of `data` with its index; rows are `width` long and cost about `cost` operations each.
    pub(crate) fn for_rows(
        &self,
        data: &mut [f32],
        width: usize,
        cost: usize,
        task: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        let rows = data.len() / width.max(1);
        // A few pieces for each thread, since rows differ in cost; none so small that taking it costs more than doing it.
        let share = rows.div_ceil(self.threads() * 4);
        let each = share.max(self.smallest_piece.div_ceil(cost.max(1)));
        let parts = SharedSlice::new(data);
        self.run(rows.div_ceil(each.max(1)), &|piece| {
            for row in piece * each..((piece + 1) * each).min(rows) {
                // SAFETY: rows do not overlap, and each belongs to one piece.
                task(row, unsafe { parts.slice(row * width, width) });
            }
        });
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches its task's panics, so joining cannot fail in a way that matters here.
            let _ = worker.join();
        }
    }
}

/// A mutable slice that the tasks of one job divide among themselves.
pub(crate) struct SharedSlice<'a> {
    start: *mut f32,
    len: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: access goes through `slice`, whose callers promise that no two of them overlap.
unsafe impl Sync for SharedSlice<'_> {}
// SAFETY: as above; the pointer is not tied to a thread.
unsafe impl Send for SharedSlice<'_> {}

impl<'a> SharedSlice<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), owner: PhantomData }
    }

    /// The part from `from` with `len` values. Panics beyond the end.
    ///
    /// # Safety
    /// No other part taken from this slice overlaps it while it lives.
    #[allow(clippy::mut_from_ref, reason = "dividing one slice among threads is what this type is for")]
    #[inline(always)]
    pub(crate) unsafe fn slice(&self, from: usize, len: usize) -> &mut [f32] {
        assert!(from <= self.len && len <= self.len - from, "the part lies inside the slice");
        // SAFETY: inside the allocation by the assertion, and not shared by this function's contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_over_many_jobs() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for count in [0, 1, 2, 3, 100] {
                for _ in 0..50 {
                    let hits: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                    pool.run(count, &|i| {
                        hits[i].fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(hits.iter().all(|h| h.load(Ordering::Relaxed) == 1));
                }
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(3);
        for bad in 0..8 {
            assert!(catch_unwind(AssertUnwindSafe(|| pool.run(8, &|i| assert!(i != bad)))).is_err());
            let sum = AtomicUsize::new(0);
            pool.run(8, &|i| {
                sum.fetch_add(i, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 28);
        }
    }
}
