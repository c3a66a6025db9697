//! The launcher's process: it waits for requests and turns each into a supervisor in
//! namespaces of its own. It has one thread, little memory, no privilege and no other file
//! system than the store, `/proc` and a template of `/dev`.

use std::fs::File;
use std::io::{IoSliceMut, Seek as _};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::guard::{Guard, GuardSet, SetupFailure};
use crate::identity::{Identity, KeptCapability, become_unprivileged};
use crate::kernel::{self, Cloned};
use crate::wire::{self, Reply, Request};
use crate::{devices, supervisor};

/// What arrives with one request.
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) connection: OwnedFd,
    pub(crate) log: OwnedFd,
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
    while let Some(descriptors) = receive(socket) {
        let Some(job) = read_job(descriptors) else {
            // Dropping the connection tells the client that its request was not understood.
            continue;
        };
        match ready {
            Ok(identity) => start(&job, *identity),
            Err(failure) => answer(&job.connection, &Reply::Failed(failure.clone())),
        }
    }
}

fn start(job: &Job, identity: Identity) {
    match kernel::clone_process(supervisor::namespaces(job.request.disabled)) {
        Ok(Cloned::Child) => supervisor::run(job, identity),
        Ok(Cloned::Parent(_)) => {}
        Err(error) => {
            let failure = SetupFailure {
                guard: Guard::OneIdMap,
                call: "clone3 with new namespaces".to_owned(),
                errno: errno(&error),
            };
            answer(&job.connection, &Reply::Failed(failure));
        }
    }
}

/// Sends a reply without a descriptor; a client that is gone needs none.
pub(crate) fn answer(connection: &OwnedFd, reply: &Reply) {
    rustix::net::send(connection, &wire::encode_reply(reply), SendFlags::NOSIGNAL).ok();
}

/// Waits for a request; none means that the client is gone.
fn receive(socket: &OwnedFd) -> Option<Vec<OwnedFd>> {
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
    Some(descriptors)
}

fn read_job(descriptors: Vec<OwnedFd>) -> Option<Job> {
    let [connection, log, memory] = <[OwnedFd; 3]>::try_from(descriptors).ok()?;
    let mut memory = File::from(memory);
    memory.rewind().ok()?;
    let mut bytes = Vec::new();
    std::io::copy(&mut memory, &mut bytes).ok()?;
    let request = wire::decode_request(&bytes).ok()?;
    Some(Job {
        request,
        connection,
        log,
    })
}
