//! Process 1 of a sandbox: sets it up, starts the program, keeps the limits, and tells the
//! client how it ended.
//!
//! Its end ends every process of the sandbox. It ends when the program does, when the client
//! closes its end of the connection (by dying, too) and when the launcher dies.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, set_dumpable_behavior,
};

use crate::accounting::Accounting;
use crate::builder::{self, Started};
use crate::console::{self, CommandEnds, Console, ConsoleEnds, NewConsole};
use crate::devices::{During as _, map_ids};
use crate::guard::{Guard, GuardSet, SetupFailure};
use crate::identity::Identity;
use crate::launcher::{self, Job, answer};
use crate::observer::Observer;
use crate::outcome::{ExitStatus, ResourceKind, TimeoutKind};
use crate::root::{self, Root};
use crate::spec::BuildUid;
use crate::wire::{self, Finished, Program, Reply};
use crate::world::World;
use crate::{answers, kernel};

/// As much as a pipe holds.
const LOG_CHUNK: usize = 64 << 10;

/// Returns the namespaces of a new sandbox, as flags of clone3.
pub(crate) fn namespaces(disabled: GuardSet) -> u64 {
    let switchable = [
        (Guard::PidNamespace, libc::CLONE_NEWPID),
        (Guard::NetNamespace, libc::CLONE_NEWNET),
        (Guard::IpcNamespace, libc::CLONE_NEWIPC),
        (Guard::UtsNamespace, libc::CLONE_NEWUTS),
        (Guard::CgroupNamespace, libc::CLONE_NEWCGROUP),
    ];
    let always = libc::CLONE_NEWUSER | libc::CLONE_NEWNS;
    let flags = switchable
        .iter()
        .filter(|(guard, _)| disabled.wants(*guard))
        .fold(always, |flags, (_, flag)| flags | flag);
    u64::from(flags.cast_unsigned())
}

/// Runs the sandbox in this fresh process and exits; `launcher` is who the launcher is.
pub(crate) fn run(job: &Job, launcher: Identity) -> ! {
    let request = &job.request;
    let ground = lay_ground(request.disabled, request.uid, &request.world, launcher);
    run_on(job, ground);
}

/// Lays the usual ground in this fresh process, waits for a job, runs it and exits.
///
/// The launcher's end closes `control`, and nothing is left.
pub(crate) fn run_later(control: &OwnedFd, launcher: Identity) -> ! {
    let ground = lay_ground(GuardSet::EMPTY, BuildUid::Root, &World::default(), launcher);
    touch_memory();
    let job = launcher::receive(control).and_then(|(_, descriptors)| Job::read(descriptors));
    if let Some(job) = job {
        run_on(&job, ground);
    }
    kernel::exit_now(0);
}

/// Has what a run needs of memory made this process's own while there is nothing else to do.
fn touch_memory() {
    for bytes in (3..=18).map(|power| 1_usize << power) {
        let mut memory = Vec::<u8>::with_capacity(bytes);
        memory.push(0);
        std::hint::black_box(&memory);
    }
}

fn run_on(job: &Job, ground: Result<OwnedFd, SetupFailure>) -> ! {
    match ground.and_then(|child_events| set_up(job, child_events)) {
        Ok(sandbox) => match Watch::new(job, sandbox).watch() {
            Ok((finished, observer)) => tell_end(job, finished, observer.as_ref()),
            Err(failure) => answer(&job.connection, &Reply::Failed(failure)),
        },
        Err(failure) => answer(&job.connection, &Reply::Failed(failure)),
    }
    kernel::exit_now(0);
}

/// Tells the client how a run ended, with what was looked at beside it if there is memory for that.
fn tell_end(job: &Job, finished: Finished, observer: Option<&Observer>) {
    let reply = Reply::Finished(finished);
    let Some(Ok(observation)) = observer.map(Observer::write) else {
        return answer(&job.connection, &reply);
    };
    // A client that is gone needs no reply.
    send_beside(&job.connection, &reply, &[observation.as_fd()]).ok();
}

struct Sandbox {
    started: Started,
    scratch: OwnedFd,
    /// The standard streams, as long as there is another command.
    streams: Option<CommandEnds>,
    /// None once every writer is gone, and without a log.
    log_pipe: Option<OwnedFd>,
    child_events: OwnedFd,
    /// Of commands that ended.
    earlier_listeners: Vec<OwnedFd>,
    observer: Option<Observer>,
}

/// Sets up what no request changes but by its user; returns what tells of ended children.
fn lay_ground(
    disabled: GuardSet,
    uid: BuildUid,
    world: &World,
    launcher: Identity,
) -> Result<OwnedFd, SetupFailure> {
    if disabled.wants(Guard::DiesWithClient) {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .during(Guard::DiesWithClient, "prctl of PDEATHSIG")?;
    }
    let child_events = kernel::child_events().during(Guard::PidNamespace, "signalfd")?;
    if disabled.contains(Guard::OneIdMap) {
        // Without any map nothing can be made; the weaker sandbox shows the host's ids.
        map_ids(launcher.uid, launcher.uid, launcher.gid, launcher.gid)?;
    } else {
        map_ids(uid.number(), launcher.uid, uid.number(), launcher.gid)?;
    }
    if disabled.wants(Guard::UtsNamespace) {
        let [host, domain] = answers::names(world);
        rustix::system::sethostname(host.as_bytes())
            .and_then(|()| rustix::system::setdomainname(domain.as_bytes()))
            .during(Guard::UtsNamespace, "sethostname")?;
    }
    if disabled.wants(Guard::NetNamespace) {
        kernel::raise_loopback().during(Guard::NetNamespace, "bringing loopback up")?;
    }
    Ok(child_events)
}

fn set_up(job: &Job, child_events: OwnedFd) -> Result<Sandbox, SetupFailure> {
    let request = &job.request;
    let disabled = request.disabled;
    let root = root::enter(request)?;
    if disabled.wants(Guard::HiddenSupervisor) {
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .during(Guard::HiddenSupervisor, "prctl of DUMPABLE")?;
    }
    let NewConsole {
        command: streams,
        log_pipe,
        client,
    } = console::open(request.console).during(Guard::LogLimit, "making the standard streams")?;
    let mut observer = request.is_observed.then(Observer::new);
    let started = builder::start(request, 0, &streams, observer.as_mut())?;
    send_started(&job.connection, &root, client.as_ref()).during(Guard::OverlayRoot, "sendmsg")?;
    Ok(Sandbox {
        started,
        scratch: root.scratch,
        streams: Some(streams),
        log_pipe,
        child_events,
        earlier_listeners: Vec::new(),
        observer,
    })
}

fn send_started(
    connection: &OwnedFd,
    root: &Root,
    console: Option<&ConsoleEnds>,
) -> Result<(), Errno> {
    let mut descriptors = vec![root.upper.as_fd()];
    descriptors.extend(root.job_fifo.as_ref().map(OwnedFd::as_fd));
    descriptors.extend(console.into_iter().flat_map(ConsoleEnds::descriptors));
    let reply = Reply::Started {
        has_job_fifo: root.job_fifo.is_some(),
    };
    send_beside(connection, &reply, &descriptors)
}

fn send_beside(
    connection: &OwnedFd,
    reply: &Reply,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(5))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    rustix::net::sendmsg(
        connection,
        &[IoSlice::new(&wire::encode_reply(reply))],
        &mut control,
        SendFlags::NOSIGNAL,
    )
    .map(drop)
}

/// What the loop waits for.
#[derive(Clone, Copy)]
enum Source {
    Call,
    EarlierCall(usize),
    Log,
    Client,
    Children,
}

/// The loop that watches one running program.
struct Watch<'a> {
    job: &'a Job,
    sandbox: Sandbox,
    accounting: Accounting,
    /// Its memory is touched only as far as something is logged.
    buffer: Vec<u8>,
    begin: Instant,
    last_output: Instant,
    log_bytes: u64,
    client_gone: bool,
    commands_ended: usize,
    exit: Option<ExitStatus>,
    verdict: Option<ExitStatus>,
}

impl<'a> Watch<'a> {
    fn new(job: &'a Job, sandbox: Sandbox) -> Self {
        let now = Instant::now();
        Self {
            job,
            accounting: Accounting::new(&job.request, now),
            sandbox,
            buffer: Vec::with_capacity(LOG_CHUNK),
            begin: now,
            last_output: now,
            log_bytes: 0,
            client_gone: false,
            commands_ended: 0,
            exit: None,
            verdict: None,
        }
    }

    fn watch(mut self) -> Result<(Finished, Option<Observer>), SetupFailure> {
        loop {
            self.release_streams();
            self.watch_command();
            let succeeded =
                self.exit == Some(ExitStatus::Exited(0)) && self.not_started().is_none();
            if self.verdict.is_some() || !succeeded {
                return Ok(self.finish());
            }
            self.commands_ended += 1;
            let Some(streams) = &self.sandbox.streams else {
                return Ok(self.finish());
            };
            let observer = self.sandbox.observer.as_mut();
            let next = builder::start(&self.job.request, self.commands_ended, streams, observer)?;
            let before = std::mem::replace(&mut self.sandbox.started, next);
            // Processes that outlive their command still get answers.
            self.sandbox.earlier_listeners.extend(before.listener);
            self.exit = None;
        }
    }

    /// Keeps no end of a stream open that the last command does not have.
    fn release_streams(&mut self) {
        let count = match &self.job.request.program {
            Program::Execute(commands) => commands.len(),
            Program::Canary => 1,
        };
        if self.commands_ended + 1 >= count {
            self.sandbox.streams = None;
        }
    }

    fn not_started(&self) -> Option<i32> {
        self.sandbox.started.refusal
    }

    fn watch_command(&mut self) {
        while self.exit.is_none() && self.verdict.is_none() {
            let now = Instant::now();
            let wake = self.deadline(now);
            self.wait_until(wake.saturating_duration_since(now));
            self.check_clocks();
            if self.exit.is_none() && self.verdict.is_none() {
                self.verdict = self.accounting.check(&self.sandbox.scratch, Instant::now());
            }
        }
    }

    fn deadline(&self, now: Instant) -> Instant {
        let limits = &self.job.request.limits;
        let disabled = self.job.request.disabled;
        let after = |guard: Guard, start: Instant, milliseconds: u64| {
            let end = start.checked_add(Duration::from_millis(milliseconds));
            end.filter(|_| disabled.wants(guard))
        };
        [
            after(Guard::WallTimeout, self.begin, limits.wall_ms),
            after(Guard::SilentTimeout, self.last_output, self.silent_ms()),
            Some(self.accounting.next()),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(now)
    }

    /// Only what goes to the log is seen here, so only there can be too little of it.
    fn silent_ms(&self) -> u64 {
        match self.job.request.console {
            Console::Log => self.job.request.limits.silent_ms,
            Console::Terminal(_) | Console::Pipes => u64::MAX,
        }
    }

    fn check_clocks(&mut self) {
        let limits = &self.job.request.limits;
        let disabled = self.job.request.disabled;
        let now = Instant::now();
        let over = |start: Instant, limit_ms: u64| {
            now.saturating_duration_since(start) >= Duration::from_millis(limit_ms)
        };
        let verdict = if over(self.begin, limits.wall_ms) && disabled.wants(Guard::WallTimeout) {
            Some((TimeoutKind::Wall, limits.wall_ms))
        } else if over(self.last_output, self.silent_ms()) && disabled.wants(Guard::SilentTimeout) {
            Some((TimeoutKind::Silent, self.silent_ms()))
        } else {
            None
        };
        if let (Some((kind, limit_ms)), None) = (verdict, self.exit) {
            self.verdict = Some(ExitStatus::TimedOut { kind, limit_ms });
        }
    }

    fn wait_until(&mut self, time: Duration) {
        let timeout = Timespec::try_from(time).ok();
        let sandbox = &self.sandbox;
        let earlier = sandbox.earlier_listeners.iter().enumerate();
        let calls = earlier.map(|(index, fd)| (Source::EarlierCall(index), Some(fd)));
        let sources = [
            (Source::Call, sandbox.started.listener.as_ref()),
            (Source::Log, sandbox.log_pipe.as_ref()),
            (
                Source::Client,
                (!self.client_gone).then_some(&self.job.connection),
            ),
            (Source::Children, Some(&sandbox.child_events)),
        ];
        let (names, mut fds): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .chain(calls)
            .filter_map(|(name, fd)| fd.map(|fd| (name, PollFd::new(fd, PollFlags::IN))))
            .unzip();
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return;
        }
        let ready: Vec<Source> = names
            .into_iter()
            .zip(&fds)
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(name, _)| name)
            .collect();
        drop(fds);
        for source in ready {
            match source {
                Source::Call => self.answer_call(),
                Source::EarlierCall(index) => self.answer_earlier_call(index),
                Source::Log => self.copy_log(),
                Source::Client => self.listen_to_client(),
                Source::Children => self.reap(),
            }
        }
    }

    fn answer_call(&mut self) {
        let Some(listener) = &self.sandbox.started.listener else {
            return;
        };
        let observer = self.sandbox.observer.as_mut();
        if answers::answer(listener, &self.job.request, observer).is_err() {
            // Nobody is left who could call.
            self.sandbox.started.listener = None;
        }
    }

    fn answer_earlier_call(&mut self, index: usize) {
        let listeners = &mut self.sandbox.earlier_listeners;
        let Some(listener) = listeners.get(index) else {
            return;
        };
        let observer = self.sandbox.observer.as_mut();
        if answers::answer(listener, &self.job.request, observer).is_err() {
            // Another call of this round may then answer late, at the next round.
            listeners.remove(index);
        }
    }

    fn listen_to_client(&mut self) {
        let mut byte = [0];
        let received = rustix::net::recv(&self.job.connection, &mut byte, RecvFlags::DONTWAIT);
        match received {
            Ok((_, 0)) | Err(Errno::CONNRESET) => {
                if self.job.request.disabled.wants(Guard::DiesWithClient) {
                    self.verdict = Some(ExitStatus::Cancelled);
                }
                self.client_gone = true;
            }
            Ok(_) => self.verdict = Some(ExitStatus::Cancelled),
            Err(_) => {}
        }
    }

    /// Copies what is in the pipe.
    fn copy_log(&mut self) {
        while let Some(pipe) = &self.sandbox.log_pipe {
            self.buffer.clear();
            match rustix::io::read(pipe, spare_capacity(&mut self.buffer)) {
                Ok(0) => self.sandbox.log_pipe = None,
                Ok(count) => {
                    self.last_output = Instant::now();
                    if !self.keep(count) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn keep(&mut self, count: usize) -> bool {
        let limited = self.job.request.disabled.wants(Guard::LogLimit);
        let left = self
            .job
            .request
            .limits
            .log_bytes_max
            .saturating_sub(self.log_bytes);
        let kept = if limited {
            count.min(usize::try_from(left).unwrap_or(count))
        } else {
            count
        };
        let mut rest = self.buffer.get(..kept).unwrap_or_default();
        while !rest.is_empty() {
            match rustix::io::write(&self.job.log, rest) {
                Ok(written) => {
                    self.log_bytes += written as u64;
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(Errno::INTR) => {}
                Err(_) => {
                    // A log that cannot be kept whole is as bad as one that is too long.
                    self.verdict = Some(ExitStatus::ResourceExceeded(ResourceKind::Log));
                    return false;
                }
            }
        }
        if kept < count {
            self.verdict = Some(ExitStatus::ResourceExceeded(ResourceKind::Log));
        }
        kept == count
    }

    /// Collects ended processes: the program and the orphans of the namespace.
    fn reap(&mut self) {
        let mut record = [0; 128];
        while rustix::io::read(&self.sandbox.child_events, &mut record).is_ok() {}
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            self.note(pid, status);
        }
    }

    fn note(&mut self, pid: Pid, status: WaitStatus) {
        if pid == self.sandbox.started.pid {
            self.exit = Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ExitStatus::Exited((code & 0xff).try_into().unwrap_or(255)),
                (None, signal) => ExitStatus::Signaled(signal.unwrap_or(0)),
            });
        }
    }

    /// Ends every process, empties the pipe and sums up.
    fn finish(mut self) -> (Finished, Option<Observer>) {
        kernel::kill_everybody();
        if self.job.request.disabled.contains(Guard::PidNamespace) {
            // Only in a sandbox that shares the host's processes: its own group, nobody else.
            rustix::process::kill_process_group(self.sandbox.started.pid, Signal::KILL).ok();
        }
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::empty()) {
            self.note(pid, status);
        }
        if self.verdict.is_none() {
            self.copy_log();
        }
        let wall = self.begin.elapsed();
        let status = match (self.verdict, self.exit) {
            (Some(verdict), _) => verdict,
            (None, Some(exit)) => self.judge(exit),
            (None, None) => ExitStatus::Cancelled,
        };
        let finished = Finished {
            status,
            commands_ended: self.commands_ended,
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            cpu_ms: kernel::children_cpu_us() / 1000,
            log_bytes: self.log_bytes,
        };
        (finished, self.sandbox.observer)
    }

    /// A program that failed while its scratch was full failed because of that. One that wrote more
    /// than it may between two looks has not succeeded.
    fn judge(&self, exit: ExitStatus) -> ExitStatus {
        if let (ExitStatus::Exited(_), Some(errno)) = (exit, self.not_started()) {
            return ExitStatus::NotStarted(errno);
        }
        if exit == ExitStatus::Exited(0) {
            let exceeded = self.accounting.exceeded_scratch(&self.sandbox.scratch);
            return exceeded.unwrap_or(exit);
        }
        self.accounting
            .full_scratch(&self.sandbox.scratch)
            .unwrap_or(exit)
    }
}
