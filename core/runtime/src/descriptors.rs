//! Every descriptor that the library owns, and what a fork does to them.
//!
//! A child process shares its parent's sockets, locks and epoll sets. If it kept them open, a dead
//! parent would look alive. So each descriptor is noted in a fixed table while it is open, and a
//! handler that runs in the child right after the fork closes them all, with plain `close` (taking
//! them out of an epoll set would change the parent's set too), and raises the *generation*. What
//! was made before then belongs to the parent: it is left alone, never dropped.
//!
//! Making or closing a descriptor and noting it happens under one lock, which a fork waits for, so
//! that no child is ever born between the two.
//!
//! Floor: imports nothing of the runtime. One of the few files with `unsafe`.

use std::io;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use telpher_proto::base::limits;

const WORDS: usize = limits::DESCRIPTORS_MAX / 64;

static OPEN: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
static WORDS_USED: AtomicUsize = AtomicUsize::new(0);
static GENERATION: AtomicU32 = AtomicU32::new(1);
static CHANGING: AtomicBool = AtomicBool::new(false);
static WATCHING: AtomicBool = AtomicBool::new(false);

/// Rises in a child process: what was made under another generation belongs to the parent.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// A noted descriptor.
pub(crate) type Descriptor = Tracked<OwnedFd>;

/// Something that owns a descriptor, noted while it is open.
#[derive(Debug)]
pub(crate) struct Tracked<T: AsRawFd> {
    inner: ManuallyDrop<T>,
    generation: u32,
}

impl<T: AsRawFd> Tracked<T> {
    /// Makes and notes a descriptor.
    pub(crate) fn make(create: impl FnOnce() -> io::Result<T>) -> io::Result<Tracked<T>> {
        let _changing = Changing::begin();
        watch_forks()?;
        let inner = create()?;
        let at = inner.as_raw_fd() as usize;
        if at >= limits::DESCRIPTORS_MAX {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        OPEN[at / 64].fetch_or(1 << (at % 64), Ordering::Relaxed);
        WORDS_USED.fetch_max(at / 64 + 1, Ordering::Relaxed);
        Ok(Tracked { inner: ManuallyDrop::new(inner), generation: generation() })
    }
}

impl<T: AsRawFd> Drop for Tracked<T> {
    fn drop(&mut self) {
        if self.generation != generation() {
            return;
        }
        let _changing = Changing::begin();
        let at = self.inner.as_raw_fd() as usize;
        OPEN[at / 64].fetch_and(!(1 << (at % 64)), Ordering::Relaxed);
        // SAFETY: `inner` is dropped here and nowhere else, and not used afterwards.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
    }
}

impl<T: AsRawFd> Deref for Tracked<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: AsRawFd> DerefMut for Tracked<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: AsRawFd> AsRawFd for Tracked<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

impl AsFd for Tracked<OwnedFd> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// The lock around making and closing. It spins, since it is held for one system call at most and
/// must be free of anything that a fork could leave half done.
struct Changing;

impl Changing {
    fn begin() -> Changing {
        lock();
        Changing
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        CHANGING.store(false, Ordering::Release);
    }
}

fn lock() {
    while CHANGING.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err()
    {
        std::thread::yield_now();
    }
}

fn watch_forks() -> io::Result<()> {
    if WATCHING.load(Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: the three functions are safe to run around a fork: they touch atomics and close
    // descriptors, and allocate nothing.
    let status = unsafe {
        libc::pthread_atfork(Some(before_fork), Some(after_in_parent), Some(after_in_child))
    };
    if status != 0 {
        return Err(io::Error::from_raw_os_error(status));
    }
    WATCHING.store(true, Ordering::Relaxed);
    Ok(())
}

extern "C" fn before_fork() {
    lock();
}

extern "C" fn after_in_parent() {
    CHANGING.store(false, Ordering::Release);
}

extern "C" fn after_in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    let used = WORDS_USED.load(Ordering::Relaxed);
    for (index, word) in OPEN[..used].iter().enumerate() {
        let mut bits = word.swap(0, Ordering::Relaxed);
        while bits != 0 {
            let descriptor = index * 64 + bits.trailing_zeros() as usize;
            // SAFETY: the table holds open descriptors of the library only, and what owned this
            // one in the parent is never used nor dropped in the child.
            unsafe { libc::close(descriptor as libc::c_int) };
            bits &= bits - 1;
        }
    }
    CHANGING.store(false, Ordering::Release);
}

/// A value that every process has afresh: a child never sees what its parent had, nor waits for a
/// lock in it that another thread of the parent held.
pub(crate) struct PerProcess<T> {
    slot: AtomicPtr<Slot<T>>,
}

struct Slot<T> {
    generation: u32,
    value: T,
}

impl<T: Default + Send + Sync> PerProcess<T> {
    pub(crate) const fn new() -> PerProcess<T> {
        PerProcess { slot: AtomicPtr::new(ptr::null_mut()) }
    }

    /// This process's value, made at the first use.
    pub(crate) fn get(&'static self) -> &'static T {
        loop {
            let found = self.slot.load(Ordering::Acquire);
            // SAFETY: the pointer is null or came from `Box::into_raw` below and is never freed.
            if let Some(slot) = unsafe { found.as_ref() }
                && slot.generation == generation()
            {
                return &slot.value;
            }
            let fresh = Slot { generation: generation(), value: T::default() };
            let fresh = Box::into_raw(Box::new(fresh));
            let swap =
                self.slot.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire);
            if swap.is_err() {
                // SAFETY: nobody else has seen `fresh`.
                drop(unsafe { Box::from_raw(fresh) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};

    fn noted(at: usize) -> bool {
        OPEN[at / 64].load(Ordering::Relaxed) & (1 << (at % 64)) != 0
    }

    #[test]
    fn a_descriptor_is_noted_exactly_while_it_is_open() {
        let descriptor = Descriptor::make(|| Ok(eventfd(0, EventfdFlags::CLOEXEC)?)).unwrap();
        let at = descriptor.as_raw_fd() as usize;
        assert!(noted(at));
        drop(descriptor);
        assert!(!noted(at) || rustix::io::fcntl_getfd(BorrowedFdFor(at)).is_ok());
    }

    struct BorrowedFdFor(usize);

    impl AsFd for BorrowedFdFor {
        fn as_fd(&self) -> BorrowedFd<'_> {
            // SAFETY: only asked for its flags; a closed number is an error.
            unsafe { BorrowedFd::borrow_raw(self.0 as RawFd) }
        }
    }

    #[test]
    fn a_process_keeps_its_value() {
        static VALUE: PerProcess<AtomicU32> = PerProcess::new();
        VALUE.get().store(7, Ordering::Relaxed);
        assert_eq!(VALUE.get().load(Ordering::Relaxed), 7);
    }
}
