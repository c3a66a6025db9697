//! A plan that one process hands to another, and what they tell each other while it is built.
//!
//! Both are the same program; what crosses is a socket in the place of standard input:
//!
//! | from | bytes | meaning |
//! |---|---|---|
//! | who evaluates | length (u64), a plan | build this |
//! | | `s`, count (u64), derivation ids | a plan with these takes its place |
//! | | `t`, length (u64), text | show this beside what is drawn |
//! | | the end | stop: nobody waits for it any more |
//! | who builds | one byte | nothing more is shown |
//! | | the end | it has ended, and its exit code says how |

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use stxl_build::BuildOptions;
use stxl_model::{DerivationId, Digest, Plan};

use crate::failure::Failure;
use crate::progress::Announcer;

/// The hidden argument that makes this program build a plan that it is handed.
pub(crate) const PLANNED_ARGUMENT: &str = "__planned";

/// Longest plan that is read.
const PLAN_BYTES_MAX: u64 = 4 << 30;

/// Most ids of one plan, and bytes of a text.
const COUNT_MAX: u64 = 1 << 26;

const SUPERSEDED: u8 = b's';
const TEXT: u8 = b't';

const ID_BYTES: usize = 32;

/// The side of who builds.
pub(super) struct Handed(UnixStream);

/// Tells that nothing more is shown.
pub(super) struct Silence(UnixStream);

fn refused(error: &io::Error) -> Failure {
    Failure::environment(format!("the plan that was handed over is damaged: {error}"))
}

impl Handed {
    /// Takes the socket.
    pub(super) fn take() -> Result<Self, Failure> {
        let socket = io::stdin().as_fd().try_clone_to_owned();
        let socket = socket.map_err(|error| refused(&error))?;
        Ok(Self(socket.into()))
    }

    /// The plan to build.
    pub(super) fn plan(&mut self) -> Result<Plan, Failure> {
        let mut read = || {
            let length = read_number(&mut self.0)?.min(PLAN_BYTES_MAX);
            let mut bytes = Vec::new();
            (&mut self.0).take(length).read_to_end(&mut bytes)?;
            Plan::from_bytes(&bytes).map_err(io::Error::other)
        };
        read().map_err(|error| refused(&error))
    }

    /// Does what it is told from now on.
    pub(super) fn listen(
        self,
        options: &BuildOptions,
        announcer: Announcer,
    ) -> Result<Silence, Failure> {
        let mut socket = self.0.try_clone().map_err(|error| refused(&error))?;
        let (cancel, superseded) = (options.cancel.clone(), options.superseded.clone());
        // Never joined: it ends with the process.
        drop(std::thread::spawn(move || {
            while let Ok(message) = read_message(&mut socket) {
                match message {
                    Message::Superseded(other) => superseded.supersede(other),
                    Message::Text(text) => announcer.show(&text),
                }
            }
            cancel.cancel();
        }));
        Ok(Silence(self.0))
    }
}

impl Silence {
    /// Tells it. Who does not listen any more need not be told.
    pub(super) fn tell(&self) {
        drop((&self.0).write_all(&[0]));
    }
}

/// Hands a plan over.
pub(super) fn hand_over(mut socket: &UnixStream, plan: &Plan) -> io::Result<()> {
    let bytes = plan.to_bytes();
    socket.write_all(&(bytes.len() as u64).to_le_bytes())?;
    socket.write_all(&bytes)
}

/// Tells that a plan takes the place of the one that was handed over.
pub(super) fn supersede(mut socket: &UnixStream, plan: &Plan) -> io::Result<()> {
    let nodes = plan.nodes();
    let mut bytes = Vec::with_capacity(9 + nodes.len() * ID_BYTES);
    bytes.push(SUPERSEDED);
    bytes.extend_from_slice(&(nodes.len() as u64).to_le_bytes());
    for node in nodes {
        bytes.extend_from_slice(node.id.digest().as_bytes());
    }
    socket.write_all(&bytes)
}

/// Has a text shown where the build draws.
pub(super) fn show(mut socket: &UnixStream, text: &str) -> io::Result<()> {
    let mut bytes = vec![TEXT];
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    socket.write_all(&bytes)
}

/// What is told while a plan is built.
enum Message {
    Superseded(BTreeSet<DerivationId>),
    Text(String),
}

fn read_message(socket: &mut UnixStream) -> io::Result<Message> {
    let mut kind = [0];
    socket.read_exact(&mut kind)?;
    let count = read_number(socket)?;
    if count > COUNT_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    match kind {
        [SUPERSEDED] => read_ids(socket, count).map(Message::Superseded),
        [TEXT] => {
            let mut text = Vec::new();
            socket.take(count).read_to_end(&mut text)?;
            Ok(Message::Text(String::from_utf8_lossy(&text).into_owned()))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn read_number(socket: &mut UnixStream) -> io::Result<u64> {
    let mut number = [0; 8];
    socket.read_exact(&mut number)?;
    Ok(u64::from_le_bytes(number))
}

fn read_ids(socket: &mut UnixStream, count: u64) -> io::Result<BTreeSet<DerivationId>> {
    let mut ids = BTreeSet::new();
    for _ in 0..count {
        let mut id = [0; ID_BYTES];
        socket.read_exact(&mut id)?;
        ids.insert(DerivationId::from_digest(Digest::from_bytes(id)));
    }
    Ok(ids)
}
