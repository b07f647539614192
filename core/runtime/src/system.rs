//! The few system calls that no safe crate offers as we need them.
//!
//! Floor: descriptors. One of the few files with `unsafe`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::thread::JoinHandle;

use bytes::{BufMut, BytesMut};
use rustix::net::{RecvFlags, recv};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::descriptors::Descriptor;

/// Appends what a socket has, as far as `buffer` has room; returns the number of bytes.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut BytesMut) -> io::Result<usize> {
    let (filled, _) = recv(socket, buffer.spare_capacity_mut(), RecvFlags::empty())?;
    let count = filled.0.len();
    // SAFETY: the kernel has just initialised `count` bytes of the spare room.
    unsafe { buffer.advance_mut(count) };
    Ok(count)
}

/// Starts a thread of the library. Every signal is blocked in it from its first instruction, so
/// that the program's handlers run on the program's threads.
pub(crate) fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigfillset` initialises `all`; `pthread_sigmask` reads it and writes `before`.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    // SAFETY: `before` was initialised above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    thread
}

/// Has the file system give a new file so much room, that reads as zeros; false if it can't.
pub(crate) fn reserve(file: &impl AsRawFd, size: u64) -> io::Result<bool> {
    // SAFETY: the kernel takes nothing but numbers.
    if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, size as libc::off_t) } == 0 {
        return Ok(true);
    }
    match io::Error::last_os_error() {
        error if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => Ok(false),
        error => Err(error),
    }
}

/// The process at the other end of a Unix socket, as a descriptor that becomes readable when it
/// ends; `None` if it is gone already.
pub(crate) fn peer_process(socket: &(impl AsFd + AsRawFd)) -> io::Result<Option<Descriptor>> {
    const SO_PEERPIDFD: libc::c_int = 77;
    let made = Descriptor::make(|| {
        let mut descriptor: libc::c_int = -1;
        let mut size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `size` bytes into `descriptor`.
        let status = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_PEERPIDFD,
                (&raw mut descriptor).cast(),
                &raw mut size,
            )
        };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has made this descriptor for us; nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    });
    match made {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => peer_by_number(socket),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// For kernels before 6.5: by its number, which could have been given to another process since.
fn peer_by_number(socket: &impl AsFd) -> io::Result<Option<Descriptor>> {
    let peer = rustix::net::sockopt::socket_peercred(socket)?;
    match Descriptor::make(|| Ok(pidfd_open(peer.pid, PidfdFlags::empty())?)) {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL | libc::ENODATA))
}
