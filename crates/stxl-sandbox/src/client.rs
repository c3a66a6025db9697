//! The client's side: [`Launcher`] starts sandboxes, [`Running`] waits for one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};

use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};

use crate::canary::CanaryError;
use crate::console::ConsoleEnds;
use crate::guard::{GuardSet, SetupFailure};
use crate::observation;
use crate::outcome::Outcome;
use crate::spec::{SandboxSpec, SpecError};
use crate::wire::{self, Finished, Ground, Reply};

/// How the launcher's process is started, and on which store it works.
#[derive(Debug)]
pub struct LauncherProgram {
    /// The program, normally `/proc/self/exe`.
    pub path: PathBuf,
    /// Its arguments, normally [`crate::LAUNCHER_ARGUMENT`] alone.
    pub arguments: Vec<OsString>,
    /// The directory that holds all layers and disk scratches.
    pub store: OwnedFd,
    disabled: GuardSet,
}

impl LauncherProgram {
    /// Returns a program with its arguments and its store.
    pub fn new<A: Into<OsString>>(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
        store: OwnedFd,
    ) -> Self {
        Self {
            path: path.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            store,
            disabled: GuardSet::EMPTY,
        }
    }

    /// Leaves out guards of the launcher itself, to prove that the test of each can fail.
    ///
    /// Such a launcher does not run the [`fn@crate::canary`].
    #[cfg(feature = "switchable-guards")]
    #[must_use]
    pub fn without(self, disabled: GuardSet) -> Self {
        Self { disabled, ..self }
    }
}

/// A small fork server that starts all sandboxes of a process.
///
/// Started once and early, while the client is small: forking from a big process costs tens of
/// milliseconds. It ends with the client, and so does every sandbox. Cloning is cheap; all
/// methods may be called from several threads at once.
#[derive(Clone, Debug)]
pub struct Launcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: OwnedFd,
    child: Option<Child>,
    checked: OnceLock<Result<(), Arc<CanaryError>>>,
    /// The launcher lacks guards on purpose, in a test.
    trusted: bool,
}

/// Why there is no launcher.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// Its socket could not be made.
    #[error("cannot make the launcher's socket: {0}")]
    Socket(#[source] io::Error),
    /// Its program could not be executed.
    #[error("cannot start the launcher `{path}`: {source}")]
    Start {
        /// The program.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Why a sandbox did not start; nothing of it ran.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The specification contradicts itself.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The request could not be handed over.
    #[error("cannot hand a request to the launcher: {0}")]
    Request(#[source] io::Error),
    /// The launcher ended before it answered.
    #[error("the launcher is gone")]
    LauncherGone,
    /// A guard could not be set up.
    #[error(transparent)]
    Guard(#[from] SetupFailure),
    /// The check from inside found a guard that does not hold.
    #[error(transparent)]
    Canary(Arc<CanaryError>),
}

/// Why the outcome of a sandbox is unknown; all its processes are dead nevertheless.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The supervisor of the sandbox was killed from outside, by the kernel for want of memory
    /// for example.
    #[error("the supervisor of the sandbox was killed")]
    SupervisorLost,
    /// A guard could not be set up for a later command.
    #[error(transparent)]
    Guard(SetupFailure),
    /// Its answer could not be read.
    #[error("cannot read the answer of the sandbox: {0}")]
    Receive(#[source] io::Error),
}

/// A sandbox that runs. Dropping it kills the sandbox.
#[derive(Debug)]
pub struct Running {
    connection: Arc<OwnedFd>,
    upper: Option<OwnedFd>,
    job_fifo: Option<OwnedFd>,
    console: Option<ConsoleEnds>,
    observation: Option<OwnedFd>,
}

/// Ends a running sandbox, from any thread.
#[derive(Clone, Debug)]
pub struct KillHandle(Arc<OwnedFd>);

impl Launcher {
    /// Starts the launcher; it sets itself up while the caller goes on.
    ///
    /// A launcher started by root becomes an unprivileged user first, see
    /// [`crate::Identity::for_directory`]. The first [`Launcher::spawn`] runs the
    /// [`fn@crate::canary`] and every one refuses if it found a guard that does not hold.
    pub fn start(program: LauncherProgram) -> Result<Self, LauncherError> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|errno| LauncherError::Socket(errno.into()))?;
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env_clear()
            .current_dir("/");
        let trusted = !program.disabled.is_empty();
        if trusted {
            command.arg(program.disabled.bits().to_string());
        }
        let child = command
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(program.store))
            .spawn()
            .map_err(|source| LauncherError::Start {
                path: program.path,
                source,
            })?;
        Ok(Self(Arc::new(Inner {
            socket: ours,
            child: Some(child),
            checked: OnceLock::new(),
            trusted,
        })))
    }

    /// Returns the process id of the launcher.
    pub fn process_id(&self) -> u32 {
        self.0.child.as_ref().map_or(0, Child::id)
    }

    /// Starts one sandbox and returns when its first program is executed.
    pub fn spawn(&self, spec: &SandboxSpec) -> Result<Running, SpawnError> {
        self.spawn_guarded(spec, GuardSet::EMPTY)
    }

    /// Starts one sandbox without some guards, to prove that the test of each can fail.
    #[cfg(feature = "switchable-guards")]
    pub fn spawn_without(
        &self,
        spec: &SandboxSpec,
        disabled: GuardSet,
    ) -> Result<Running, SpawnError> {
        self.spawn_guarded(spec, disabled)
    }

    fn spawn_guarded(&self, spec: &SandboxSpec, disabled: GuardSet) -> Result<Running, SpawnError> {
        spec.check()?;
        if !self.0.trusted {
            let checked = self
                .0
                .checked
                .get_or_init(|| crate::canary::canary(self).map(drop).map_err(Arc::new));
            checked.clone().map_err(SpawnError::Canary)?;
        }
        self.request(
            &wire::encode_request(spec, false, disabled),
            Ground::of(spec, disabled),
            spec.log.as_fd(),
        )
    }

    /// Starts the sandbox of an encoded request.
    pub(crate) fn request(
        &self,
        request: &[u8],
        ground: Ground,
        log: BorrowedFd<'_>,
    ) -> Result<Running, SpawnError> {
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(request_error)?;
        let memory = rustix::fs::memfd_create(c"sandbox-request", MemfdFlags::CLOEXEC)
            .map_err(request_error)?;
        let mut memory = File::from(memory);
        memory.write_all(request).map_err(SpawnError::Request)?;
        let descriptors = [theirs.as_fd(), log, memory.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(SpawnError::Request(io::Error::from(Errno::INVAL)));
        }
        match rustix::net::sendmsg(
            &self.0.socket,
            &[IoSlice::new(&[ground.byte()])],
            &mut control,
            SendFlags::NOSIGNAL,
        ) {
            Ok(_) => {}
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => {
                return Err(SpawnError::LauncherGone);
            }
            Err(errno) => return Err(request_error(errno)),
        }
        drop(theirs);
        let mut running = Running {
            connection: Arc::new(ours),
            upper: None,
            job_fifo: None,
            console: None,
            observation: None,
        };
        match running.receive().map_err(|error| match error {
            WaitError::SupervisorLost => SpawnError::LauncherGone,
            WaitError::Receive(source) => SpawnError::Request(source),
            WaitError::Guard(failure) => SpawnError::Guard(failure),
        })? {
            Reply::Started { .. } if running.upper.is_some() => Ok(running),
            Reply::Failed(failure) => Err(SpawnError::Guard(failure)),
            Reply::Started { .. } | Reply::Finished(_) => Err(SpawnError::LauncherGone),
        }
    }
}

fn request_error(errno: Errno) -> SpawnError {
    SpawnError::Request(errno.into())
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The launcher reads the end of the conversation and exits; it has no other work.
        if rustix::net::shutdown(&self.socket, Shutdown::Both).is_ok()
            && let Some(mut child) = self.child.take()
        {
            drop(child.wait());
        }
    }
}

impl Running {
    /// Waits for the end; no process of the sandbox is alive afterwards.
    pub fn wait(mut self) -> Result<Outcome, WaitError> {
        let finished = match self.receive()? {
            Reply::Finished(finished) => finished,
            Reply::Failed(failure) => return Err(WaitError::Guard(failure)),
            Reply::Started { .. } => return Err(WaitError::SupervisorLost),
        };
        let Finished {
            status,
            commands_ended,
            wall_ms,
            cpu_ms,
            log_bytes,
        } = finished;
        let upper = self.upper.take().ok_or(WaitError::SupervisorLost)?;
        let observation = self.observation.take().map(observation::read);
        let observation = observation.transpose().map_err(WaitError::Receive)?;
        Ok(Outcome {
            status,
            upper,
            commands_ended,
            wall_ms,
            cpu_ms,
            log_bytes,
            observation,
        })
    }

    /// Returns a handle that ends the sandbox while another thread waits for it.
    pub fn kill_handle(&self) -> KillHandle {
        KillHandle(Arc::clone(&self.connection))
    }

    /// Returns the other end of the FIFO for jobs, which can be read and written and never blocks,
    /// once.
    pub fn take_job_fifo(&mut self) -> Option<OwnedFd> {
        self.job_fifo.take()
    }

    /// Returns the ends of a console that is a terminal or pipes, once.
    pub fn take_console(&mut self) -> Option<ConsoleEnds> {
        self.console.take()
    }

    fn receive(&mut self) -> Result<Reply, WaitError> {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            rustix::net::recvmsg(
                &*self.connection,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut control,
                RecvFlags::CMSG_CLOEXEC,
            )
        });
        let length = match received {
            Ok(message) => message.bytes,
            Err(Errno::CONNRESET) => 0,
            Err(errno) => return Err(WaitError::Receive(errno.into())),
        };
        let mut descriptors: Vec<OwnedFd> = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        let packet = bytes.get(..length).unwrap_or_default();
        if packet.is_empty() {
            return Err(WaitError::SupervisorLost);
        }
        let reply = wire::decode_reply(packet).map_err(|_| WaitError::SupervisorLost)?;
        let mut descriptors = descriptors.into_iter();
        if let Reply::Started { has_job_fifo } = reply {
            self.upper = descriptors.next();
            self.job_fifo = has_job_fifo.then(|| descriptors.next()).flatten();
            self.console = ConsoleEnds::from_descriptors(descriptors.collect());
        } else {
            self.observation = descriptors.next();
        }
        Ok(reply)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A kill handle may keep the socket open; the supervisor must see the end all the same.
        // After a finished run the other end is gone already, which is no error.
        rustix::net::shutdown(&*self.connection, Shutdown::Both).ok();
    }
}

impl KillHandle {
    /// Ends the sandbox with [`crate::ExitStatus::Cancelled`]; without effect once it has ended.
    pub fn kill(&self) {
        // The only failure is that nobody listens any more.
        rustix::net::send(&*self.0, b"k", SendFlags::NOSIGNAL).ok();
    }
}
