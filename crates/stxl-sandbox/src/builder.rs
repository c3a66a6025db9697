//! The program's own process, from its fork to `execve`: everything it must not have is taken
//! from it here, by itself, since most of it cannot be taken from outside.

use std::borrow::Cow;
use std::ffi::{CString, OsString};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, WaitOptions, set_dumpable_behavior,
};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets, CpuSet};

use crate::console::CommandEnds;
use crate::devices::During as _;
use crate::guard::{Guard, GuardSet, SetupFailure};
use crate::kernel::{self, Cloned, CloseMode, Listener};
use crate::launcher::{avoid_huge_pages, errno};
use crate::observer::Observer;
use crate::seccomp::Asked;
use crate::spec::{Personality, Scratch};
use crate::wire::{self, Program, Reply, Request};
use crate::world::{Change, Processors};
use crate::{canary, seccomp};

/// A program that was started.
pub(crate) struct Started {
    pub(crate) pid: Pid,
    /// Answers the calls of [`Guard::FixedAnswers`].
    pub(crate) listener: Option<OwnedFd>,
    /// Why `execve` failed, if it did; the process has exited then.
    pub(crate) refusal: Option<i32>,
}

/// Starts the command of this index and returns once it is executed.
pub(crate) fn start(
    request: &Request,
    index: usize,
    streams: &CommandEnds,
    mut observer: Option<&mut Observer>,
) -> Result<Started, SetupFailure> {
    const GUARD: Guard = Guard::PidNamespace;
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .during(GUARD, "socketpair")?;
    // Neither the supervisor nor any command has a use for what the namespace allows; without
    // no_new_privs, though, only a capability lets the program install its filter.
    if request.disabled.wants(Guard::CapabilitiesDropped)
        && request.disabled.wants(Guard::NoNewPrivileges)
    {
        drop_capabilities().during(Guard::CapabilitiesDropped, "dropping capabilities")?;
    }
    if index == 0 && request.world.changes.contains(Change::ProcessIds) {
        use_up_process_ids().during(GUARD, "using up process ids")?;
    }
    let pid = match &request.program {
        Program::Execute(_) if !request.is_observed => kernel::clone_borrowing(&mut || {
            // Nothing is dropped here: the memory is the supervisor's.
            become_program(request, index, streams, &theirs)
        })
        .during(GUARD, "clone of the program")?,
        // An observed program waits for an answer when it is executed, so this process must not
        // sleep until then.
        Program::Execute(_) | Program::Canary => {
            match kernel::clone_process(0).during(GUARD, "clone3 of the program")? {
                Cloned::Child => become_program(request, index, streams, &theirs),
                Cloned::Parent(pid) => pid,
            }
        }
    };
    drop(theirs);
    // The program's process took it back for the memory they shared.
    avoid_huge_pages();
    let mut started = Started {
        pid,
        listener: None,
        refusal: None,
    };
    while receive(&ours, &mut started)? {
        if let (Some(observer), Some(listener)) = (observer.take(), &started.listener) {
            observe_execution(listener, &ours);
            let program = Strings::of(request, index).argv.into_iter().next();
            let program = program.unwrap_or_default();
            observer.take_start(program.as_bytes(), request.cwd.as_os_str().as_bytes());
        }
    }
    Ok(started)
}

/// Lets the first call go on, which executes the program: the process that makes it is still a copy
/// of this one, whose memory nobody may read.
fn observe_execution(listener: &OwnedFd, socket: &OwnedFd) {
    let mut fds = [
        PollFd::new(listener, PollFlags::IN),
        PollFd::new(socket, PollFlags::IN),
    ];
    // The other end of the socket is closed when the process ends before.
    if poll(&mut fds, None).is_ok()
        && fds[0].revents().contains(PollFlags::IN)
        && let Ok(call) = kernel::receive_call(listener)
    {
        drop(kernel::let_call_go_on(listener, &call));
    }
}

/// Starts and ends processes until the next one's id is another than it would be.
fn use_up_process_ids() -> std::io::Result<()> {
    const COUNT: u32 = 120;
    for _ in 0..COUNT {
        let pid = kernel::clone_borrowing(&mut || kernel::exit_now(0))?;
        rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
    }
    Ok(())
}

/// Takes one message of the child; false once the child executed its program or gave up.
fn receive(socket: &OwnedFd, started: &mut Started) -> Result<bool, SetupFailure> {
    let mut bytes = [0; 1024];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        )
    })
    .during(Guard::PidNamespace, "recvmsg from the program's process")?;
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = part {
            started.listener = descriptors.next();
        }
    }
    match bytes.get(..message.bytes).unwrap_or_default() {
        // Its end was closed by the execution; a canary, which executes nothing, says so.
        [] | [b'c'] => Ok(false),
        [b'l'] => Ok(true),
        [b'x', code @ ..] => {
            let code = code.try_into().map_or(libc::EIO, i32::from_le_bytes);
            started.refusal = Some(code);
            Ok(false)
        }
        other => Err(match wire::decode_reply(other) {
            Ok(Reply::Failed(failure)) => failure,
            Ok(Reply::Started { .. } | Reply::Finished(_)) | Err(_) => SetupFailure {
                guard: Guard::PidNamespace,
                call: "the program's process".to_owned(),
                errno: libc::EPROTO,
            },
        }),
    }
}

fn become_program(request: &Request, index: usize, streams: &CommandEnds, socket: &OwnedFd) -> ! {
    let strings = Strings::of(request, index);
    match prepare(request, streams, socket) {
        Ok(()) => {}
        Err(Refused::Guard(failure)) => {
            send(socket, &wire::encode_reply(&Reply::Failed(failure)));
            kernel::exit_now(127);
        }
        Err(Refused::NotStarted(errno)) => give_up(socket, errno),
    }
    match &request.program {
        Program::Canary => {
            // As an execution would: the supervisor stops waiting and answers calls.
            send(socket, b"c");
            set_dumpable_behavior(DumpableBehavior::Dumpable).ok();
            canary::report_to_stdout();
            kernel::exit_now(0);
        }
        Program::Execute(_) => {
            let error = kernel::execute(&strings.argv, &strings.env);
            give_up(socket, errno(&error));
        }
    }
}

/// What a program is executed with.
struct Strings {
    argv: Vec<CString>,
    env: Vec<CString>,
}

impl Strings {
    fn of(request: &Request, index: usize) -> Self {
        let argv = match &request.program {
            Program::Canary => None,
            Program::Execute(commands) => commands.get(index),
        };
        let argv = argv.map(Vec::as_slice).unwrap_or_default().iter();
        let variable = |(name, value): (&OsString, &OsString)| {
            kernel::c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat())
        };
        Self {
            argv: argv.map(|text| kernel::c_string(text.as_bytes())).collect(),
            env: request.env.iter().map(variable).collect(),
        }
    }
}

fn give_up(socket: &OwnedFd, errno: i32) -> ! {
    let [a, b, c, d] = errno.to_le_bytes();
    send(socket, &[b'x', a, b, c, d]);
    kernel::exit_now(127);
}

fn send(socket: &OwnedFd, bytes: &[u8]) {
    // Without a supervisor there is nobody to tell, and the process ends anyway.
    rustix::net::send(socket, bytes, SendFlags::NOSIGNAL).ok();
}

enum Refused {
    Guard(SetupFailure),
    NotStarted(i32),
}

impl From<SetupFailure> for Refused {
    fn from(failure: SetupFailure) -> Self {
        Self::Guard(failure)
    }
}

fn prepare(request: &Request, streams: &CommandEnds, socket: &OwnedFd) -> Result<(), Refused> {
    let disabled = request.disabled;
    // The launcher reset the actions; the supervisor blocks what it waits for.
    kernel::unblock_signals();
    let changes = request.world.changes;
    let umask = if changes.contains(Change::Umask) {
        0o077
    } else {
        0o022
    };
    rustix::process::umask(Mode::from_raw_mode(umask));
    if disabled.wants(Guard::OwnSession) {
        rustix::process::setsid().during(Guard::OwnSession, "setsid")?;
    }
    set_priority();
    set_limits(request)?;
    set_processors(request.world.processors).during(Guard::ProcessLimit, "sched_setaffinity")?;
    set_personality(request).during(Guard::FixedAnswers, "personality")?;
    streams
        .become_streams()
        .during(Guard::FreshDescriptors, "making standard streams")?;
    rustix::process::chdir(&request.cwd)
        .map_err(|errno| Refused::NotStarted(errno.raw_os_error()))?;
    if disabled.wants(Guard::FreshDescriptors) {
        kernel::close_from(3, CloseMode::OnExecute)
            .during(Guard::FreshDescriptors, "close_range")?;
    }
    if disabled.wants(Guard::NoNewPrivileges) {
        rustix::thread::set_no_new_privs(true)
            .during(Guard::NoNewPrivileges, "prctl of NO_NEW_PRIVS")?;
    }
    if disabled.wants(Guard::LandlockScope) {
        kernel::confine_scope().during(Guard::LandlockScope, "landlock_restrict_self")?;
    }
    install_filter(request, socket)?;
    if disabled.wants(Guard::CapabilitiesDropped) {
        drop_capabilities().during(Guard::CapabilitiesDropped, "dropping capabilities")?;
    }
    Ok(())
}

fn install_filter(request: &Request, socket: &OwnedFd) -> Result<(), SetupFailure> {
    let asked = Asked {
        listings: request.world.changes.contains(Change::FileOrder),
        looks: request.is_observed,
    };
    let program = if request.disabled == GuardSet::EMPTY && asked == Asked::default() {
        Cow::Borrowed(seccomp::whole())
    } else {
        Cow::Owned(seccomp::program(request.disabled, asked))
    };
    let wanted = if request.disabled.wants(Guard::FixedAnswers) {
        Listener::Wanted
    } else {
        Listener::None
    };
    // The program has huge pages if the machine has; nothing is allocated from here on.
    rustix::thread::disable_transparent_huge_pages(false)
        .during(Guard::FixedAnswers, "prctl of THP_DISABLE")?;
    let listener =
        kernel::install_filter(&program, wanted).during(Guard::SyscallCeiling, "seccomp")?;
    let Some(listener) = listener else {
        return Ok(());
    };
    let descriptors = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(Errno::INVAL).during(Guard::FixedAnswers, "sendmsg of the listener");
    }
    rustix::net::sendmsg(
        socket,
        &[IoSlice::new(b"l")],
        &mut control,
        SendFlags::NOSIGNAL,
    )
    .map(drop)
    .during(Guard::FixedAnswers, "sendmsg of the listener")
}

fn set_personality(request: &Request) -> std::io::Result<()> {
    const ADDR_NO_RANDOMIZE: u64 = 0x004_0000;
    const PER_LINUX32: u64 = 0x0008;
    let addresses = if request.world.changes.contains(Change::Addresses) {
        0
    } else {
        ADDR_NO_RANDOMIZE
    };
    kernel::set_personality(match request.platform {
        Personality::X86_64 => addresses,
        Personality::I686 => addresses | PER_LINUX32,
    })
}

/// Leaves this process and its children a part of the processors they may run on.
fn set_processors(processors: Processors) -> Result<(), Errno> {
    if processors == Processors::All {
        return Ok(());
    }
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let mut all: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|processor| allowed.is_set(*processor))
        .collect();
    if processors == Processors::LastHalf {
        all.reverse();
    }
    let mut half = CpuSet::new();
    let count = all.len().div_ceil(2);
    all.iter()
        .take(count)
        .for_each(|processor| half.set(*processor));
    rustix::thread::sched_setaffinity(None, &half)
}

/// Takes the priority of the table: a `configure` finds out what `nice` answers, and that depends
/// on what it begins with. A client of low priority may not be allowed to leave it; that is on the
/// leak list.
fn set_priority() {
    rustix::process::setpriority_process(None, 0).ok();
}

fn set_limits(request: &Request) -> Result<(), SetupFailure> {
    let limits = &request.limits;
    let unlimited = None;
    // One more than the program may have: the supervisor is of the same user.
    let processes = if request.disabled.wants(Guard::ProcessLimit) {
        Some(limits.processes_max.saturating_add(1))
    } else {
        unlimited
    };
    let file_size = match request.scratch {
        Scratch::Disk(_) if request.disabled.wants(Guard::ScratchLimit) => {
            Some(limits.scratch_bytes)
        }
        Scratch::Disk(_) | Scratch::Memory => unlimited,
    };
    let table = [
        (Resource::Stack, Some(8 << 20), unlimited),
        (
            Resource::Nofile,
            Some(limits.open_files.min(4096)),
            Some(4096),
        ),
        (Resource::Core, Some(0), Some(0)),
        (Resource::Nproc, processes, processes),
        (Resource::Fsize, file_size, file_size),
        (Resource::Memlock, Some(8 << 20), Some(8 << 20)),
        (Resource::Sigpending, Some(4096), Some(4096)),
        (Resource::Msgqueue, Some(819_200), Some(819_200)),
        (Resource::Nice, Some(0), Some(0)),
        (Resource::Rtprio, Some(0), Some(0)),
        (Resource::As, unlimited, unlimited),
        (Resource::Data, unlimited, unlimited),
        (Resource::Cpu, unlimited, unlimited),
        (Resource::Rss, unlimited, unlimited),
        (Resource::Locks, unlimited, unlimited),
        (Resource::Rttime, unlimited, unlimited),
    ];
    for (resource, soft, hard) in table {
        set_limit(resource, soft, hard).during(Guard::ProcessLimit, "setrlimit")?;
    }
    Ok(())
}

/// Sets a limit, or the nearest that the hard limit of the host allows.
fn set_limit(resource: Resource, soft: Option<u64>, hard: Option<u64>) -> Result<(), Errno> {
    let wanted = Rlimit {
        current: soft,
        maximum: hard,
    };
    match rustix::process::setrlimit(resource, wanted) {
        Err(Errno::PERM) => {
            let ceiling = rustix::process::getrlimit(resource).maximum;
            let below = |limit: Option<u64>| match (limit, ceiling) {
                (Some(limit), Some(ceiling)) => Some(limit.min(ceiling)),
                (None, ceiling) => ceiling,
                (limit, None) => limit,
            };
            let nearest = Rlimit {
                current: below(soft),
                maximum: below(hard),
            };
            rustix::process::setrlimit(resource, nearest)
        }
        result => result,
    }
}

/// Gives up every capability in every set, for good; without effect the second time.
pub(crate) fn drop_capabilities() -> Result<(), Errno> {
    // A process of a user namespace has all of them until it comes here.
    if rustix::thread::capabilities(None)?.permitted.is_empty() {
        return Ok(());
    }
    let locked = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    rustix::thread::set_capabilities_secure_bits(locked)?;
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // One past the last capability of this kernel.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    rustix::thread::set_capabilities(None, sets)
}
