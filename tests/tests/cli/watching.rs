//! A program that watches a workspace, and the records it prints.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::place::Place;

/// Longer than any of this takes on a machine that is busy.
const LINE_MAX: Duration = Duration::from_mins(2);

/// A program that watches.
pub(crate) struct Watching<'p> {
    pub(crate) place: &'p Place,
    pub(crate) child: Child,
    lines: Receiver<String>,
}

impl<'p> Watching<'p> {
    /// Starts `stxl COMMAND --watch --json`.
    pub(crate) fn of(place: &'p Place, command: &str, words: &[&str]) -> Self {
        let watch = [command, "--watch", "--json"];
        let mut command = place.command();
        command.current_dir(place.workspace());
        command.args(watch).args(words);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = child.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            place,
            child,
            lines,
        }
    }

    /// The next record.
    pub(crate) fn next(&self) -> Value {
        let line = self.lines.recv_timeout(LINE_MAX);
        let line = line.expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    }

    /// Reads records until there is one that is right; those before are of states in between.
    pub(crate) fn until(&self, mut is_right: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let record = self.next();
            if is_right(&record) {
                return record;
            }
        }
    }

    /// Ends as Ctrl-C does.
    pub(crate) fn interrupt(mut self) {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{status}");
        assert!(self.lines.recv_timeout(LINE_MAX).is_err(), "no more lines");
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        // After a failed check it is still there.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
