//! A child from its start to its end.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::fs::MemfdFlags;
use stxl_lang::SourcePath;

use super::parent::{ChildError, EvaluatorProgram};
use super::progress;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 2 << 30;

/// Room for an answer, apart from its records.
const ROOM_BYTES_MIN: usize = 16 << 10;

/// A child that was started and waits to be asked. It ends with this.
pub(crate) struct WaitingChild {
    process: Child,
    /// The memory file that outlives the process.
    notes: File,
}

/// A child that ended, and what it left.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) answer: std::io::Result<Vec<u8>>,
    pub(super) said: String,
    /// The files that its threads were evaluating.
    pub(super) files: Vec<SourcePath>,
}

impl WaitingChild {
    pub(crate) fn start(program: &EvaluatorProgram) -> Result<Self, ChildError> {
        Self::spawn(program).map_err(ChildError::Start)
    }

    fn spawn(program: &EvaluatorProgram) -> std::io::Result<Self> {
        let mut notes = File::from(rustix::fs::memfd_create("notes", MemfdFlags::CLOEXEC)?);
        // The child has the same position.
        notes.seek(SeekFrom::Start(progress::MESSAGES_OFFSET))?;
        let process = Command::new(&program.path)
            .args(&program.args)
            .env_clear()
            // An allocator that reserves a gigabyte at once would make the limit on memory
            // meaningless.
            .env("MIMALLOC_ARENA_RESERVE", "32768")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(notes.try_clone()?)
            .spawn()?;
        Ok(Self { process, notes })
    }

    /// Whether it waits, and has not been ended meanwhile.
    pub(super) fn is_there(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Asks, and waits for the end.
    pub(super) fn ask(mut self, request: &[u8]) -> Result<Ended, ChildError> {
        self.answer(request).map_err(ChildError::Start)
    }

    fn answer(&mut self, request: &[u8]) -> std::io::Result<Ended> {
        if let Some(mut input) = self.process.stdin.take() {
            // One that ended before it has read all says why by how it did.
            input.write_all(request).ok();
        }
        // A child whose answer is not wanted any more is refused to write it, and ends.
        let output = self.process.stdout.take();
        let answer = read_answer(output.expect("standard output is a pipe"));
        let status = self.process.wait()?;
        let mut message = Vec::new();
        self.notes
            .seek(SeekFrom::Start(progress::MESSAGES_OFFSET))?;
        (&self.notes).take(1 << 16).read_to_end(&mut message)?;
        Ok(Ended {
            status,
            answer,
            said: String::from_utf8_lossy(&message).trim().to_owned(),
            files: progress::noted(&self.notes),
        })
    }
}

impl Drop for WaitingChild {
    fn drop(&mut self) {
        // One that was asked has ended, and was waited for.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Reads an answer while it is written. Memory that it turns out not to need is never touched.
fn read_answer(mut pipe: impl Read) -> std::io::Result<Vec<u8>> {
    let mut room = [0; 8];
    pipe.read_exact(&mut room)?;
    let room = u64::from_le_bytes(room).min(ANSWER_BYTES_MAX);
    let mut bytes = Vec::new();
    // Room that cannot be had is not needed yet: what is claimed may be too much.
    bytes
        .try_reserve_exact(usize::try_from(room).unwrap_or(0) + ROOM_BYTES_MIN)
        .ok();
    pipe.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
