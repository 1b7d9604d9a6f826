//! What the group commit synchronizes with in the model: sound, and broken in one way each.

/// Time of which nobody knows how much has passed.
mod time {
    use std::time::Duration;

    #[derive(Debug, Clone, Copy)]
    pub struct Instant;

    impl Instant {
        pub const fn now() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as the real one")]
        pub fn elapsed(&self) -> Duration {
            use shuttle::rand::Rng as _;
            let long = shuttle::rand::thread_rng().gen_bool(0.1);
            if long { Duration::from_secs(1) } else { Duration::ZERO }
        }
    }
}

pub mod sound {
    pub use super::time::Instant;
    pub use shuttle::sync::atomic::AtomicUsize;
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

/// A notification of all reaches only one.
pub mod one_is_woken {
    pub use super::time::Instant;
    pub use shuttle::sync::atomic::AtomicUsize;
    use shuttle::sync::{LockResult, WaitTimeoutResult};
    pub use shuttle::sync::{Mutex, MutexGuard};
    use std::time::Duration;

    #[derive(Debug, Default)]
    pub struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        pub fn notify_all(&self) {
            self.0.notify_one();
        }

        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            patience: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            self.0.wait_timeout(guard, patience)
        }
    }
}

/// Two who count at the same time are counted as one.
pub mod the_count_forgets {
    pub use super::time::Instant;
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard};
    use std::sync::atomic::Ordering;

    #[derive(Debug)]
    pub struct AtomicUsize(shuttle::sync::atomic::AtomicUsize);

    impl AtomicUsize {
        pub fn new(count: usize) -> Self {
            Self(shuttle::sync::atomic::AtomicUsize::new(count))
        }

        pub fn load(&self, order: Ordering) -> usize {
            self.0.load(order)
        }

        pub fn fetch_add(&self, by: usize, order: Ordering) -> usize {
            let before = self.0.load(order);
            self.0.store(before.wrapping_add(by), order);
            before
        }

        pub fn fetch_sub(&self, by: usize, order: Ordering) -> usize {
            self.fetch_add(by.wrapping_neg(), order)
        }
    }
}

/// Who is about to wait gives the mutex back a moment before it can be notified.
pub mod sleep_comes_late {
    pub use super::time::Instant;
    pub use shuttle::sync::atomic::AtomicUsize;
    use shuttle::sync::{LockResult, WaitTimeoutResult};
    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;
    use std::time::Duration;

    #[derive(Debug, Default)]
    pub struct Mutex<T>(shuttle::sync::Mutex<T>);

    #[derive(Debug)]
    pub struct MutexGuard<'a, T>(shuttle::sync::MutexGuard<'a, T>, &'a Mutex<T>);

    #[derive(Debug, Default)]
    pub struct Condvar(shuttle::sync::Condvar);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(MutexGuard(guard, self))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }

    impl Condvar {
        pub fn notify_all(&self) {
            self.0.notify_all();
        }

        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            patience: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            let mutex = guard.1;
            drop(guard);
            let guard = mutex.0.lock().unwrap_or_else(PoisonError::into_inner);
            let woken = self.0.wait_timeout(guard, patience);
            let (guard, timeout) = woken.unwrap_or_else(PoisonError::into_inner);
            Ok((MutexGuard(guard, mutex), timeout))
        }
    }
}
