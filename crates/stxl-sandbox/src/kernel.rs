//! System calls that rustix does not offer, each wrapped so that callers need no unsafe code.

#![expect(
    unsafe_code,
    reason = "the only module of the project that calls the kernel by hand"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;

use rustix::process::Pid;

use crate::identity::Identity;

/// One instruction of a seccomp program.
pub(crate) type Instruction = libc::sock_filter;

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Which side of a [`clone_process`] this is.
pub(crate) enum Cloned {
    /// The new process.
    Child,
    /// The old one, with the id of the new.
    Parent(Pid),
}

/// Makes a copy of this process in new namespaces, like `fork`.
///
/// Must only be called while this process has a single thread.
pub(crate) fn clone_process(namespaces: u64) -> io::Result<Cloned> {
    // SAFETY: all zero is a valid value of this plain struct.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = namespaces;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM and without a stack of its own the child is an ordinary fork; the
    // caller is single-threaded, so no lock is held by a thread that the child lacks.
    let result = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<libc::clone_args>(),
        )
    };
    let id = i32::try_from(check(result)?).map_err(io::Error::other)?;
    Ok(Pid::from_raw(id).map_or(Cloned::Child, Cloned::Parent))
}

/// Runs `body` in a copy of this process that borrows its memory, and returns the copy's id once
/// it has executed a program or ended; this process sleeps meanwhile.
///
/// Must only be called while this process has a single thread. What `body` changes in memory
/// stays changed; descriptors, working directory, limits and credentials are the copy's own.
pub(crate) fn clone_borrowing(body: &mut dyn FnMut()) -> io::Result<Pid> {
    extern "C" fn enter(body: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the caller passes a pointer to its own `body`, which it cannot use meanwhile.
        let body = unsafe { &mut *body.cast::<&mut dyn FnMut()>() };
        body();
        0
    }
    const STACK_BYTES: usize = 256 << 10;
    let mut stack: Vec<u8> = Vec::with_capacity(STACK_BYTES);
    let mut body = body;
    // SAFETY: the stack is as large as said, is the copy's alone and outlives it, since
    // CLONE_VFORK lets this process go on only when the copy has left the shared memory. There is
    // no other thread, so nothing else runs on that memory.
    let result = unsafe {
        let top = stack.as_mut_ptr().add(STACK_BYTES);
        libc::clone(
            enter,
            top.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut body).cast(),
        )
    };
    check(result.into())?;
    Pid::from_raw(result).ok_or_else(|| io::Error::from_raw_os_error(libc::ECHILD))
}

/// Ends this process at once, without running anything of the runtime.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any number and does not return.
    unsafe { libc::_exit(code) }
}

/// Returns the real, effective and saved user id.
pub(crate) fn res_uids() -> [u32; 3] {
    let mut ids = [0; 3];
    let [real, effective, saved] = &mut ids;
    // SAFETY: the three pointers are valid for writes; the call cannot fail with valid pointers.
    unsafe { libc::getresuid(real, effective, saved) };
    ids
}

/// Gives up root for `identity`; with `keep_capabilities` the permitted set survives.
pub(crate) fn become_user(
    identity: Identity,
    keep_capabilities: bool,
) -> Result<(), (&'static str, io::Error)> {
    let step = |step: &'static str, result: libc::c_int| {
        if result < 0 {
            Err((step, io::Error::last_os_error()))
        } else {
            Ok(())
        }
    };
    let Identity { uid, gid } = identity;
    // SAFETY: plain calls with numbers and, for setgroups, an empty list.
    unsafe {
        step(
            "keep capabilities",
            libc::prctl(libc::PR_SET_KEEPCAPS, i32::from(keep_capabilities), 0, 0, 0),
        )?;
        step(
            "leave the supplementary groups",
            libc::setgroups(0, ptr::null()),
        )?;
        step("change the group", libc::setresgid(gid, gid, gid))?;
        step("change the user", libc::setresuid(uid, uid, uid))?;
    }
    if res_uids() == [uid; 3] {
        Ok(())
    } else {
        Err(("change the user", io::Error::from_raw_os_error(libc::EPERM)))
    }
}

/// Replaces this process; returns only the error.
pub(crate) fn execute(argv: &[CString], env: &[CString]) -> io::Error {
    let Some(program) = argv.first() else {
        return io::Error::from_raw_os_error(libc::EINVAL);
    };
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|text| text.as_ptr())
            .chain([ptr::null()])
            .collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both lists end with a null pointer and their strings outlive the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Sets the execution domain.
pub(crate) fn set_personality(persona: u64) -> io::Result<()> {
    // SAFETY: takes a number only.
    check(libc::c_long::from(unsafe { libc::personality(persona) })).map(drop)
}

/// Blocks no signal.
pub(crate) fn unblock_signals() {
    // SAFETY: the set is initialised before use.
    unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut mask);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, ptr::null_mut());
    }
}

/// Gives every signal its default action and blocks none.
pub(crate) fn reset_signals() {
    // SAFETY: all zero is the default action with an empty mask; the kernel refuses SIGKILL,
    // SIGSTOP and the two of the C library, which is as it should be.
    unsafe {
        let action: libc::sigaction = std::mem::zeroed();
        for signal in 1..=64 {
            libc::sigaction(signal, &raw const action, ptr::null_mut());
        }
    }
    unblock_signals();
}

/// Lets the kernel reap the children of this process.
pub(crate) fn ignore_children() {
    // SAFETY: ignoring a signal installs no code.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// Takes [`ignore_children`] back, blocks SIGCHLD and returns a descriptor that becomes readable
/// when a child ended.
pub(crate) fn child_events() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before use; the descriptor is checked before it is owned.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut mask);
        libc::sigaddset(&raw mut mask, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const mask, ptr::null_mut());
        let raw = libc::signalfd(-1, &raw const mask, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(raw.into())?;
        Ok(OwnedFd::from_raw_fd(raw))
    }
}

/// Kills every process of this process id namespace except its init, which must be the caller.
pub(crate) fn kill_everybody() {
    // SAFETY: takes numbers only. Outside a namespace of its own the caller has id other than 1.
    unsafe {
        if libc::getpid() == 1 {
            libc::kill(-1, libc::SIGKILL);
        }
    }
}

/// Returns the processor time of all reaped children, in microseconds.
pub(crate) fn children_cpu_us() -> u64 {
    // SAFETY: all zero is valid, and the pointer is valid for the write.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    [usage.ru_utime, usage.ru_stime]
        .iter()
        .map(|time| time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned())
        .sum()
}

/// Closes, or marks to be closed on execution, all descriptors from `first` on.
pub(crate) fn close_from(first: u32, mode: CloseMode) -> io::Result<()> {
    let flags = match mode {
        CloseMode::Now => 0,
        CloseMode::OnExecute => libc::CLOSE_RANGE_CLOEXEC,
    };
    // SAFETY: callers own no descriptor objects above `first`, or only mark them.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) }).map(drop)
}

/// What [`close_from`] does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseMode {
    /// Closes at once.
    Now,
    /// Marks close-on-exec.
    OnExecute,
}

/// Sets attributes of a mount, and of those below it.
pub(crate) fn set_mount_attributes(mount: impl AsFd, attributes: u64) -> io::Result<()> {
    // SAFETY: all zero is valid.
    let mut wanted: libc::mount_attr = unsafe { std::mem::zeroed() };
    wanted.attr_set = attributes;
    // SAFETY: the path is an empty C string and the struct has the size given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const wanted,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Brings the loopback interface of this network namespace up.
pub(crate) fn raise_loopback() -> io::Result<()> {
    // SAFETY: the request is a plain struct, initialised before use; the socket is owned.
    unsafe {
        let raw = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        check(raw.into())?;
        let socket = OwnedFd::from_raw_fd(raw);
        let mut request: libc::ifreq = std::mem::zeroed();
        for (target, source) in request.ifr_name.iter_mut().zip(b"lo") {
            *target = source.cast_signed();
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the flags fit their kernel type"
        )]
        let flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        request.ifr_ifru.ifru_flags = flags;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request).into())?;
    }
    Ok(())
}

/// Confines this process and its children to its own abstract sockets and signal receivers.
pub(crate) fn confine_scope() -> io::Result<()> {
    #[repr(C)]
    struct RulesetAttributes {
        handled_access_fs: u64,
        handled_access_net: u64,
        scoped: u64,
    }
    const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1;
    const SCOPE_SIGNAL: u64 = 2;
    let attributes = RulesetAttributes {
        handled_access_fs: 0,
        handled_access_net: 0,
        scoped: SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL,
    };
    // SAFETY: the struct has the size given; the descriptor is checked before it is owned.
    unsafe {
        let raw = check(libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const attributes,
            size_of::<RulesetAttributes>(),
            0,
        ))?;
        let ruleset = OwnedFd::from_raw_fd(RawFd::try_from(raw).map_err(io::Error::other)?);
        check(libc::syscall(
            libc::SYS_landlock_restrict_self,
            ruleset.as_raw_fd(),
            0,
        ))
        .map(drop)
    }
}

/// Installs a system call filter; with `Listener::Wanted` returns the descriptor that answers.
pub(crate) fn install_filter(
    program: &[Instruction],
    listener: Listener,
) -> io::Result<Option<OwnedFd>> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let header = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    let flags = match listener {
        Listener::Wanted => {
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
        }
        Listener::None => 0,
    };
    // SAFETY: the kernel copies the program, which is as long as the header says; a descriptor
    // is returned only if asked for.
    unsafe {
        let raw = check(libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const header,
        ))?;
        Ok(match listener {
            Listener::Wanted => Some(OwnedFd::from_raw_fd(
                RawFd::try_from(raw).map_err(io::Error::other)?,
            )),
            Listener::None => None,
        })
    }
}

/// Whether a filter has calls that the supervisor answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// It has.
    Wanted,
    /// It has none.
    None,
}

/// A call that waits for an answer.
pub(crate) type Call = libc::seccomp_notif;

const NOTIFY_RECEIVE: libc::c_ulong = 0xc050_2100;
const NOTIFY_SEND: libc::c_ulong = 0xc018_2101;
const NOTIFY_IS_VALID: libc::c_ulong = 0x4008_2102;

/// Takes the next call that waits for an answer.
pub(crate) fn receive_call(listener: impl AsFd) -> io::Result<Call> {
    // SAFETY: the kernel wants the struct zeroed and fills it.
    unsafe {
        let mut call: Call = std::mem::zeroed();
        let raw = listener.as_fd().as_raw_fd();
        check(libc::ioctl(raw, NOTIFY_RECEIVE, &raw mut call).into())?;
        Ok(call)
    }
}

/// Tells whether the process still waits for its answer, so that its id is its own.
pub(crate) fn is_waiting(listener: impl AsFd, call: &Call) -> bool {
    let raw = listener.as_fd().as_raw_fd();
    // SAFETY: the pointer is valid for the call, which reads a number.
    let result = unsafe { libc::ioctl(raw, NOTIFY_IS_VALID, &raw const call.id) };
    result == 0
}

/// Reads the text that ends with NUL at an address of a process; `ENAMETOOLONG` if it is longer
/// than a path can be.
pub(crate) fn read_text(pid: u32, address: u64) -> io::Result<Vec<u8>> {
    const PAGE: usize = 4096;
    let mut address = usize::try_from(address).map_err(io::Error::other)?;
    let mut text = Vec::new();
    // A path ends on the first page or the second. Beyond the end there may be nothing to read.
    while text.len() < PAGE {
        let mut piece = vec![0_u8; PAGE - address % PAGE];
        let local = libc::iovec {
            iov_base: piece.as_mut_ptr().cast(),
            iov_len: piece.len(),
        };
        let remote = libc::iovec {
            iov_base: ptr::with_exposed_provenance_mut(address),
            iov_len: piece.len(),
        };
        // SAFETY: the local range is `piece`; the remote range belongs to another process and is
        // checked by the kernel.
        let read = unsafe {
            libc::process_vm_readv(
                pid.cast_signed(),
                &raw const local,
                1,
                &raw const remote,
                1,
                0,
            )
        };
        let read = usize::try_from(read).map_err(|_| io::Error::last_os_error())?;
        piece.truncate(read);
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            piece.truncate(end);
            text.append(&mut piece);
            return Ok(text);
        }
        address = address.wrapping_add(read);
        text.append(&mut piece);
        if read == 0 {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
}

/// Writes to where an argument of the process that waits points, and ends its call with a result.
///
/// The call goes on by itself where the process hides its memory.
pub(crate) fn answer_call(
    listener: impl AsFd,
    call: &Call,
    (argument, content): (usize, &[u8]),
    result: i64,
) -> io::Result<()> {
    let raw = listener.as_fd().as_raw_fd();
    let address = call.data.args.get(argument).copied().unwrap_or(0);
    // SAFETY: the local range is `content`; the remote range belongs to another process and is
    // checked by the kernel. The id is checked first, so the process cannot be another one.
    unsafe {
        check(libc::ioctl(raw, NOTIFY_IS_VALID, &raw const call.id).into())?;
        let local = libc::iovec {
            iov_base: content.as_ptr().cast_mut().cast(),
            iov_len: content.len(),
        };
        let remote = libc::iovec {
            iov_base: ptr::with_exposed_provenance_mut(
                usize::try_from(address).map_err(io::Error::other)?,
            ),
            iov_len: content.len(),
        };
        let pid = call.pid.cast_signed();
        let written = libc::process_vm_writev(pid, &raw const local, 1, &raw const remote, 1, 0);
        let mut answer: libc::seccomp_notif_resp = std::mem::zeroed();
        answer.id = call.id;
        answer.val = result;
        if written < 0 {
            if io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT) {
                answer.error = -libc::EFAULT;
            } else {
                answer.val = 0;
                answer.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE
                    .try_into()
                    .unwrap_or(1);
            }
        }
        check(libc::ioctl(raw, NOTIFY_SEND, &raw mut answer).into()).map(drop)
    }
}

/// Lets the kernel do what the process that waits asked for.
pub(crate) fn let_call_go_on(listener: impl AsFd, call: &Call) -> io::Result<()> {
    let raw = listener.as_fd().as_raw_fd();
    // SAFETY: all zero is valid, and the pointer is valid for the call.
    unsafe {
        let mut answer: libc::seccomp_notif_resp = std::mem::zeroed();
        answer.id = call.id;
        answer.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE
            .try_into()
            .unwrap_or(1);
        check(libc::ioctl(raw, NOTIFY_SEND, &raw mut answer).into()).map(drop)
    }
}

/// What `getdents64` gives the process that waits: the entries at the position of its descriptor,
/// which moves behind them. Nothing if it gives an error, or what code of 32 bits cannot take.
pub(crate) fn list_for(call: &Call, compat: bool) -> Option<Vec<u8>> {
    const BYTES_MAX: usize = 64 << 10;
    const PIDFD_THREAD: libc::c_uint = 0x80;
    let [directory, _, size, ..] = call.data.args;
    let size = usize::try_from(size).map_or(BYTES_MAX, |size| size.min(BYTES_MAX));
    let mut entries = vec![0_u8; size];
    // SAFETY: the numbers are the process's and checked by the kernel, descriptors are checked
    // before they are owned, and the buffer is as large as said.
    unsafe {
        let own = |result: libc::c_long| -> Option<OwnedFd> {
            let raw = RawFd::try_from(check(result).ok()?).ok()?;
            Some(OwnedFd::from_raw_fd(raw))
        };
        let process = own(libc::syscall(libc::SYS_pidfd_open, call.pid, PIDFD_THREAD))
            .or_else(|| own(libc::syscall(libc::SYS_pidfd_open, call.pid, 0)))?;
        let directory = own(libc::syscall(
            libc::SYS_pidfd_getfd,
            process.as_raw_fd(),
            directory,
            0,
        ))?;
        let raw = directory.as_raw_fd();
        let before = libc::lseek64(raw, 0, libc::SEEK_CUR);
        let buffer = entries.as_mut_ptr();
        let read = check(libc::syscall(libc::SYS_getdents64, raw, buffer, size)).ok()?;
        entries.truncate(usize::try_from(read).ok()?);
        if compat && libc::lseek64(raw, 0, libc::SEEK_CUR) > i64::from(i32::MAX) {
            // The kernel numbers entries otherwise for code of 32 bits.
            libc::lseek64(raw, before, libc::SEEK_SET);
            return None;
        }
    }
    Some(entries)
}

/// Returns the bytes as a C string; the caller has checked that there is no NUL.
pub(crate) fn c_string(bytes: &[u8]) -> CString {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let kept = bytes.get(..end).unwrap_or_default();
    CString::new(kept).unwrap_or_else(|_| CStr::to_owned(c""))
}

/// Tries a call with numbers or pointers to constants, and returns the error number it gives.
///
/// Only for calls that are harmless if they succeed in a sandbox that is about to end.
pub(crate) fn try_call(number: libc::c_long, arguments: [u64; 4]) -> i32 {
    let [a, b, c, d] = arguments;
    // SAFETY: the callers pass null, numbers or pointers to C strings that live forever.
    let result = unsafe { libc::syscall(number, a, b, c, d, 0, 0) };
    check(result)
        .err()
        .and_then(|error| error.raw_os_error())
        .unwrap_or(0)
}
