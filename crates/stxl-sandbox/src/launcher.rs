//! The launcher's process: it waits for requests and turns each into a supervisor in
//! namespaces of its own. It has one thread, little memory, no privilege and no other file
//! system than the store, `/proc` and a template of `/dev`.
//!
//! The usual request finds a supervisor that waits for it already, since making the namespaces
//! is half of a launch; the next one is made when a request has been handed over.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Seek as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::devices::During as _;
use crate::guard::{Guard, GuardSet, SetupFailure};
use crate::identity::{Identity, KeptCapability, become_unprivileged};
use crate::kernel::{self, Cloned};
use crate::wire::{self, Ground, Reply, Request};
use crate::{devices, seccomp, supervisor};

/// What arrives with one request.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) connection: OwnedFd,
    pub(crate) log: OwnedFd,
}

impl Job {
    /// Takes the descriptors of a request; none if they are not one.
    pub(crate) fn read(descriptors: Vec<OwnedFd>) -> Option<Self> {
        let [connection, log, memory] = <[OwnedFd; 3]>::try_from(descriptors).ok()?;
        let mut memory = File::from(memory);
        memory.rewind().ok()?;
        let mut bytes = Vec::new();
        std::io::copy(&mut memory, &mut bytes).ok()?;
        let request = wire::decode_request(&bytes).ok()?;
        Some(Self {
            request,
            connection,
            log,
        })
    }
}

/// Runs the launcher; `main` calls it first of all if the first argument is
/// [`crate::LAUNCHER_ARGUMENT`]. Never returns.
///
/// Standard input is the socket of the client, standard output the store directory.
pub fn launcher_main() -> ! {
    let code = match take_descriptors() {
        Ok((socket, store)) => {
            let ready = prepare(store);
            serve(&socket, &ready);
            0
        }
        Err(_) => 1,
    };
    kernel::exit_now(code);
}

/// Moves the two descriptors away from the standard ones and closes everything inherited.
fn take_descriptors() -> Result<(OwnedFd, OwnedFd), Errno> {
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let store = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    let null = rustix::fs::open(
        c"/dev/null",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    if disabled().wants(Guard::FreshDescriptors) {
        let highest = [&socket, &store, &null]
            .map(|fd| rustix::fd::AsRawFd::as_raw_fd(fd).cast_unsigned())
            .into_iter()
            .max()
            .unwrap_or(3);
        // Lower ones than ours were free, or are closed below when the builder starts.
        kernel::close_from(highest + 1, kernel::CloseMode::Now).map_err(|error| {
            Errno::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EINVAL))
        })?;
    }
    Ok((socket, store))
}

#[cfg(feature = "switchable-guards")]
fn disabled() -> GuardSet {
    let bits = std::env::args()
        .next_back()
        .and_then(|text| text.parse().ok());
    GuardSet::from_bits(bits.unwrap_or(0))
}

#[cfg(not(feature = "switchable-guards"))]
fn disabled() -> GuardSet {
    GuardSet::EMPTY
}

/// Gives up everything the launcher does not need; returns who it is.
fn prepare(store: OwnedFd) -> Result<Identity, SetupFailure> {
    let failure = |guard, call: &str, errno: i32| SetupFailure {
        guard,
        call: call.to_owned(),
        errno,
    };
    kernel::reset_signals();
    kernel::ignore_children();
    avoid_huge_pages();
    seccomp::whole();
    // Only a launcher that leads its group already is refused, which is as good.
    rustix::process::setsid().ok();
    rustix::process::umask(rustix::fs::Mode::empty());
    if disabled().wants(Guard::NeverHostRoot) {
        let identity = Identity::for_directory(&store)
            .map_err(|error| failure(Guard::NeverHostRoot, "fstat of the store", errno(&error)))?;
        become_unprivileged(identity, KeptCapability::None)
            .map_err(|error| failure(Guard::NeverHostRoot, &error.to_string(), libc::EPERM))?;
    }
    // Without this the process could not write its own id map.
    set_dumpable_behavior(DumpableBehavior::Dumpable)
        .map_err(|errno| failure(Guard::OneIdMap, "prctl", errno.raw_os_error()))?;
    prefer_for_killing();
    let identity = Identity::current();
    devices::enter_private_root(store, identity)?;
    Ok(identity)
}

/// Keeps this process and its copies from huge pages: each copy touches a few kilobytes more, for
/// which the kernel would clear megabytes.
pub(crate) fn avoid_huge_pages() {
    // It is about speed alone, and the call does not fail.
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

/// Lets the kernel end builds first if the machine runs out of memory.
fn prefer_for_killing() {
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CLOEXEC;
    let mode = rustix::fs::Mode::empty();
    if let Ok(file) = rustix::fs::open(c"/proc/self/oom_score_adj", flags, mode) {
        // A higher value cannot be lowered, and need not be.
        rustix::io::write(&file, b"500").ok();
    }
}

/// The error number in an error, or the one for "something else".
pub(crate) fn errno(error: &std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

fn serve(socket: &OwnedFd, ready: &Result<Identity, SetupFailure>) {
    let mut spare = None;
    while let Some((byte, descriptors)) = receive(socket) {
        match ready {
            Ok(identity) if byte == Ground::Usual.byte() => {
                start_in_spare(&descriptors, &mut spare, *identity);
                // A spare that holds this connection, too, would hide the end of the other.
                drop(descriptors);
                // Where it fails, the next request finds out why.
                spare = make_spare(*identity).ok();
            }
            // Dropping what is not understood tells the client so.
            Ok(identity) => {
                if let Some(job) = Job::read(descriptors) {
                    start(&job, *identity);
                }
            }
            Err(failure) => {
                if let Some(connection) = descriptors.first() {
                    answer(connection, &Reply::Failed(failure.clone()));
                }
            }
        }
    }
}

/// Hands a request to the spare supervisor, or to one made for it.
fn start_in_spare(descriptors: &[OwnedFd], spare: &mut Option<OwnedFd>, identity: Identity) {
    if spare
        .take()
        .is_some_and(|spare| hand_over(&spare, descriptors))
    {
        return;
    }
    // There was none, or it was killed, for want of memory for example.
    let made = make_spare(identity).map(|spare| hand_over(&spare, descriptors));
    if let (Err(failure), Some(connection)) = (made, descriptors.first()) {
        answer(connection, &Reply::Failed(failure));
    }
}

fn hand_over(spare: &OwnedFd, descriptors: &[OwnedFd]) -> bool {
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let message = [IoSlice::new(b"j")];
    control.push(SendAncillaryMessage::ScmRights(&borrowed))
        && rustix::net::sendmsg(spare, &message, &mut control, SendFlags::NOSIGNAL).is_ok()
}

/// Makes a supervisor that waits for its job, in the namespaces every build has, and returns
/// where to send the job. Making these takes as long as the rest of a launch.
fn make_spare(identity: Identity) -> Result<OwnedFd, SetupFailure> {
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .during(Guard::PidNamespace, "socketpair")?;
    match clone_supervisor(GuardSet::EMPTY)? {
        Cloned::Child => {
            drop(ours);
            supervisor::run_later(&theirs, identity)
        }
        Cloned::Parent(_) => Ok(ours),
    }
}

fn start(job: &Job, identity: Identity) {
    match clone_supervisor(job.request.disabled) {
        Ok(Cloned::Child) => supervisor::run(job, identity),
        Ok(Cloned::Parent(_)) => {}
        Err(failure) => answer(&job.connection, &Reply::Failed(failure)),
    }
}

fn clone_supervisor(disabled: GuardSet) -> Result<Cloned, SetupFailure> {
    kernel::clone_process(supervisor::namespaces(disabled))
        .during(Guard::OneIdMap, "clone3 with new namespaces")
}

/// Sends a reply without a descriptor; a client that is gone needs none.
pub(crate) fn answer(connection: &OwnedFd, reply: &Reply) {
    rustix::net::send(connection, &wire::encode_reply(reply), SendFlags::NOSIGNAL).ok();
}

/// Waits for a request, a byte and its descriptors; none means that the other side is gone.
pub(crate) fn receive(socket: &OwnedFd) -> Option<(u8, Vec<OwnedFd>)> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    // Not close-on-exec: the builder closes all it inherited in one call, and that call is a
    // guard whose test must be able to fail.
    let message = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut byte)],
            &mut control,
            RecvFlags::empty(),
        )
    })
    .ok()?;
    if message.bytes == 0 {
        return None;
    }
    let mut descriptors = Vec::with_capacity(3);
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            descriptors.extend(received);
        }
    }
    let [byte] = byte;
    Some((byte, descriptors))
}
