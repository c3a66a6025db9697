//! The private protocol between client, launcher and supervisor: lengths before contents,
//! little endian. Both ends are one binary, so it carries no version.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use crate::console::{Console, TerminalSize};
use crate::guard::{Guard, GuardSet, SetupFailure};
use crate::outcome::{ExitStatus, ResourceKind, TimeoutKind};
use crate::spec::{BuildUid, Limits, Personality, SandboxSpec, Scratch};
use crate::world::{ChangeSet, Processors, SecondName, World};

/// A [`SandboxSpec`] as the supervisor sees it: without file descriptors.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) program: Program,
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) env: BTreeMap<OsString, OsString>,
    pub(crate) cwd: PathBuf,
    pub(crate) uid: BuildUid,
    pub(crate) platform: Personality,
    pub(crate) world: World,
    pub(crate) limits: Limits,
    pub(crate) scratch: Scratch,
    pub(crate) empty_directories: Vec<PathBuf>,
    pub(crate) supplied_files: BTreeMap<OsString, Vec<u8>>,
    pub(crate) has_job_fifo: bool,
    pub(crate) is_observed: bool,
    pub(crate) console: Console,
    pub(crate) disabled: GuardSet,
}

/// How much of a sandbox can be made before its request arrives; the one byte beside a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// The namespaces every build has: a spare one will do.
    Usual,
    /// Made for this request alone.
    Special,
}

impl Ground {
    /// Returns the ground a request needs.
    pub(crate) fn of(spec: &SandboxSpec, disabled: GuardSet) -> Self {
        let is_plain = spec.uid == BuildUid::Root && spec.world == World::default();
        if disabled.is_empty() && is_plain {
            Self::Usual
        } else {
            Self::Special
        }
    }

    /// Returns the byte that stands for it.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Usual => b'u',
            Self::Special => b's',
        }
    }
}

/// What runs inside.
#[derive(Debug)]
pub(crate) enum Program {
    /// Programs of the root, one after the other.
    Execute(Vec<Vec<OsString>>),
    /// The checks of [`mod@crate::canary`], without a program.
    Canary,
}

/// What the supervisor tells the client.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The sandbox stands; the upper layer, the FIFO for jobs if there is one, and the ends of a
    /// console travel beside this.
    Started { has_job_fifo: bool },
    /// A guard could not be set up; nothing ran.
    Failed(SetupFailure),
    /// The process ended; what was looked at in an observed run travels beside this.
    Finished(Finished),
}

/// The plain part of an outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) commands_ended: usize,
    pub(crate) wall_ms: u64,
    pub(crate) cpu_ms: u64,
    pub(crate) log_bytes: u64,
}

/// A message that is not one of ours.
#[derive(Debug, thiserror::Error)]
#[error("malformed message between client and sandbox")]
pub(crate) struct Malformed;

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, value: &[u8]) {
        self.number(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn text(&mut self, value: impl AsRef<OsStr>) {
        self.bytes(value.as_ref().as_bytes());
    }

    fn texts<T: AsRef<OsStr>>(&mut self, values: &[T]) {
        self.number(values.len() as u64);
        for value in values {
            self.text(value);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u64, Malformed> {
        let (head, tail) = self.0.split_first_chunk::<8>().ok_or(Malformed)?;
        self.0 = tail;
        Ok(u64::from_le_bytes(*head))
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        u16::try_from(self.number()?).map_err(|_| Malformed)
    }

    fn count(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.number()?).map_err(|_| Malformed)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count()?;
        let (head, tail) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = tail;
        Ok(head)
    }

    fn text(&mut self) -> Result<OsString, Malformed> {
        Ok(OsString::from_vec(self.bytes()?.to_vec()))
    }

    fn texts(&mut self) -> Result<Vec<OsString>, Malformed> {
        (0..self.count()?).map(|_| self.text()).collect()
    }

    fn paths(&mut self) -> Result<Vec<PathBuf>, Malformed> {
        Ok(self.texts()?.into_iter().map(PathBuf::from).collect())
    }

    fn signed(&mut self) -> Result<i32, Malformed> {
        let value = u32::try_from(self.number()?).map_err(|_| Malformed)?;
        Ok(value.cast_signed())
    }
}

/// Returns the bytes of a request; `disabled` comes apart because release builds have no field.
pub(crate) fn encode_request(spec: &SandboxSpec, canary: bool, disabled: GuardSet) -> Vec<u8> {
    let mut out = Writer::default();
    out.number(u64::from(canary));
    out.number(spec.commands.len() as u64);
    for argv in &spec.commands {
        out.texts(argv);
    }
    out.texts(&spec.layers);
    out.number(spec.env.len() as u64);
    for (name, value) in &spec.env {
        out.text(name);
        out.text(value);
    }
    out.text(&spec.cwd);
    out.number(match spec.uid {
        BuildUid::Root => 0,
        BuildUid::Tester => 1,
        BuildUid::Nobody => 2,
    });
    out.number(match spec.platform {
        Personality::X86_64 => 0,
        Personality::I686 => 1,
    });
    write_world(&mut out, &spec.world);
    let Limits {
        wall_ms,
        silent_ms,
        memory_bytes,
        processes_max,
        scratch_bytes,
        scratch_files_max,
        log_bytes_max,
        open_files,
    } = spec.limits;
    for limit in [
        wall_ms,
        silent_ms,
        memory_bytes,
        processes_max,
        scratch_bytes,
        scratch_files_max,
        log_bytes_max,
        open_files,
    ] {
        out.number(limit);
    }
    match &spec.scratch {
        Scratch::Memory => out.number(0),
        Scratch::Disk(directory) => {
            out.number(1);
            out.text(directory);
        }
    }
    out.texts(&spec.empty_directories);
    out.number(spec.supplied_files.len() as u64);
    for (name, content) in &spec.supplied_files {
        out.text(name);
        out.bytes(content);
    }
    out.number(u64::from(spec.has_job_fifo));
    out.number(u64::from(spec.is_observed));
    match spec.console {
        Console::Log => out.number(0),
        Console::Terminal(TerminalSize { rows, columns }) => {
            out.number(1);
            out.number(u64::from(rows));
            out.number(u64::from(columns));
        }
        Console::Pipes => out.number(2),
    }
    out.number(disabled.bits());
    out.0
}

/// Reads what [`encode_request`] wrote.
pub(crate) fn decode_request(bytes: &[u8]) -> Result<Request, Malformed> {
    let mut input = Reader(bytes);
    let canary = input.number()? != 0;
    let commands = (0..input.count()?)
        .map(|_| input.texts())
        .collect::<Result<_, Malformed>>()?;
    let layers = input.paths()?;
    let env = (0..input.count()?)
        .map(|_| Ok((input.text()?, input.text()?)))
        .collect::<Result<_, Malformed>>()?;
    Ok(Request {
        program: if canary {
            Program::Canary
        } else {
            Program::Execute(commands)
        },
        layers,
        env,
        cwd: PathBuf::from(input.text()?),
        uid: match input.number()? {
            0 => BuildUid::Root,
            1 => BuildUid::Tester,
            _ => BuildUid::Nobody,
        },
        platform: if input.number()? == 0 {
            Personality::X86_64
        } else {
            Personality::I686
        },
        world: read_world(&mut input)?,
        limits: Limits {
            wall_ms: input.number()?,
            silent_ms: input.number()?,
            memory_bytes: input.number()?,
            processes_max: input.number()?,
            scratch_bytes: input.number()?,
            scratch_files_max: input.number()?,
            log_bytes_max: input.number()?,
            open_files: input.number()?,
        },
        scratch: match input.number()? {
            0 => Scratch::Memory,
            _ => Scratch::Disk(PathBuf::from(input.text()?)),
        },
        empty_directories: input.paths()?,
        supplied_files: (0..input.count()?)
            .map(|_| Ok((input.text()?, input.bytes()?.to_vec())))
            .collect::<Result<_, Malformed>>()?,
        has_job_fifo: input.number()? != 0,
        is_observed: input.number()? != 0,
        console: match input.number()? {
            0 => Console::Log,
            1 => Console::Terminal(TerminalSize {
                rows: input.short()?,
                columns: input.short()?,
            }),
            _ => Console::Pipes,
        },
        disabled: GuardSet::from_bits(input.number()?),
    })
}

fn write_world(out: &mut Writer, world: &World) {
    let World {
        changes,
        second_name,
        processors,
    } = world;
    out.number(changes.bits());
    match second_name {
        None => out.number(0),
        Some(SecondName { first, second }) => {
            out.number(1);
            out.text(first);
            out.text(second);
        }
    }
    out.number(match processors {
        Processors::All => 0,
        Processors::FirstHalf => 1,
        Processors::LastHalf => 2,
    });
}

fn read_world(input: &mut Reader<'_>) -> Result<World, Malformed> {
    Ok(World {
        changes: ChangeSet::from_bits(input.number()?),
        second_name: match input.number()? {
            0 => None,
            _ => Some(SecondName {
                first: input.text()?,
                second: input.text()?,
            }),
        },
        processors: match input.number()? {
            0 => Processors::All,
            1 => Processors::FirstHalf,
            _ => Processors::LastHalf,
        },
    })
}

const STATUSES: [(u64, ExitStatus); 6] = [
    (0, ExitStatus::Cancelled),
    (1, ExitStatus::ResourceExceeded(ResourceKind::Memory)),
    (2, ExitStatus::ResourceExceeded(ResourceKind::Processes)),
    (3, ExitStatus::ResourceExceeded(ResourceKind::ScratchBytes)),
    (4, ExitStatus::ResourceExceeded(ResourceKind::ScratchFiles)),
    (5, ExitStatus::ResourceExceeded(ResourceKind::Log)),
];

/// Returns the bytes of a reply.
pub(crate) fn encode_reply(reply: &Reply) -> Vec<u8> {
    let mut out = Writer::default();
    match reply {
        Reply::Started { has_job_fifo } => {
            out.number(1);
            out.number(u64::from(*has_job_fifo));
        }
        Reply::Failed(SetupFailure { guard, call, errno }) => {
            out.number(2);
            out.number(*guard as u64);
            out.number(u64::from(errno.cast_unsigned()));
            out.text(call);
        }
        Reply::Finished(Finished {
            status,
            commands_ended,
            wall_ms,
            cpu_ms,
            log_bytes,
        }) => {
            out.number(3);
            let (tag, value) = match *status {
                ExitStatus::Exited(code) => (10, u64::from(code)),
                ExitStatus::Signaled(signal) => (11, u64::from(signal.cast_unsigned())),
                ExitStatus::NotStarted(errno) => (12, u64::from(errno.cast_unsigned())),
                ExitStatus::TimedOut {
                    kind: TimeoutKind::Wall,
                    limit_ms,
                } => (13, limit_ms),
                ExitStatus::TimedOut {
                    kind: TimeoutKind::Silent,
                    limit_ms,
                } => (14, limit_ms),
                ExitStatus::ResourceExceeded(_) | ExitStatus::Cancelled => (
                    STATUSES
                        .iter()
                        .find(|(_, known)| known == status)
                        .map_or(0, |(tag, _)| *tag),
                    0,
                ),
            };
            for value in [
                tag,
                value,
                *commands_ended as u64,
                *wall_ms,
                *cpu_ms,
                *log_bytes,
            ] {
                out.number(value);
            }
        }
    }
    out.0
}

/// Reads what [`encode_reply`] wrote.
pub(crate) fn decode_reply(bytes: &[u8]) -> Result<Reply, Malformed> {
    let mut input = Reader(bytes);
    Ok(match input.number()? {
        1 => Reply::Started {
            has_job_fifo: input.number()? != 0,
        },
        2 => {
            let index = input.count()?;
            let guard = *Guard::ALL.get(index).ok_or(Malformed)?;
            let errno = input.signed()?;
            let call = String::from_utf8_lossy(input.bytes()?).into_owned();
            Reply::Failed(SetupFailure { guard, call, errno })
        }
        3 => {
            let tag = input.number()?;
            let value = input.number()?;
            let status = match tag {
                10 => ExitStatus::Exited(u8::try_from(value).map_err(|_| Malformed)?),
                11 => ExitStatus::Signaled(i32::try_from(value).map_err(|_| Malformed)?),
                12 => ExitStatus::NotStarted(i32::try_from(value).map_err(|_| Malformed)?),
                13 => ExitStatus::TimedOut {
                    kind: TimeoutKind::Wall,
                    limit_ms: value,
                },
                14 => ExitStatus::TimedOut {
                    kind: TimeoutKind::Silent,
                    limit_ms: value,
                },
                _ => {
                    STATUSES
                        .iter()
                        .find(|(known, _)| *known == tag)
                        .ok_or(Malformed)?
                        .1
                }
            };
            Reply::Finished(Finished {
                status,
                commands_ended: input.count()?,
                wall_ms: input.number()?,
                cpu_ms: input.number()?,
                log_bytes: input.number()?,
            })
        }
        _ => return Err(Malformed),
    })
}
