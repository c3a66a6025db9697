//! `stxl shell` as a person meets it: at a terminal, with pipes, and where there is no shell.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, Termios, Winsize};

/// Far longer than anything here takes, so that a hang becomes a failure.
const PATIENCE: Duration = Duration::from_mins(1);

/// The program that plays the shell, compiled once.
static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("person");
    let status = Command::new("gcc")
        .args(["-static", "-Os", "-s", "-o"])
        .arg(&program)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shell/person.c"))
        .status()
        .expect("gcc is installed");
    assert!(status.success(), "gcc -static compiles the program");
    std::fs::read(program).expect("the program is there")
});

/// A workspace with the packages `demo/with`, whose root has a shell, and `demo/without`, and a
/// store.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let workspace = directory.path().join("workspace");
        std::fs::create_dir(&workspace).expect("a directory");
        std::fs::write(workspace.join("stxl.toml"), "stages = [\"demo\"]\n").expect("a file");
        for (name, place) in [("with", "/bin/sh"), ("without", "/bin/other")] {
            let package = workspace.join("stages/demo").join(name);
            std::fs::create_dir_all(&package).expect("a directory");
            std::fs::write(package.join("program"), &*PROGRAM).expect("a file");
            let text = DEFINITION.replace("PLACE", place);
            std::fs::write(package.join("package.rhai"), text).expect("a file");
        }
        Self(directory)
    }

    fn command(&self, words: &[&str]) -> Command {
        self.command_of("shell", words)
    }

    fn command_of(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stxl-under-test"));
        command
            .arg(name)
            .arg("-C")
            .arg(self.0.path().join("workspace"))
            .arg("--store")
            .arg(self.0.path().join("store"))
            .args(words)
            .env("TERM", "a-kind");
        command
    }
}

/// A package with one step, which fails, so nothing but `shell` has a use for it.
const DEFINITION: &str = r#"custom(#{
    version: "1",
    description: "A root with one program",
    license: "MIT",
    platforms: ["x86_64"],
});

fn build(p) {
    let done = root()
        .put(file("program"), "PLACE", "exec")
        .mkdir("/out")
        .run(["PLACE", "fail", "it's"]);
    #{ main: done.out("/out") }
}
"#;

/// `stxl shell` at a terminal, whose master is the person.
struct Sitting {
    child: Child,
    master: OwnedFd,
    slave: OwnedFd,
    before: Termios,
    shown: String,
    complaints: std::fs::File,
    _site: Site,
}

impl Sitting {
    /// Sits down and waits until the command inside is ready.
    fn begin() -> Self {
        let site = Site::new();
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty");
        rustix::pty::unlockpt(&master).expect("a pty");
        let slave =
            rustix::pty::ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY)
                .expect("its slave");
        set_size(&master, 33, 101);
        let before = rustix::termios::tcgetattr(&slave).expect("a terminal");
        let complaints = tempfile::tempfile().expect("a file");
        let child = site
            .command(&["demo/with"])
            .stdin(slave.try_clone().expect("a descriptor"))
            .stdout(slave.try_clone().expect("a descriptor"))
            .stderr(complaints.try_clone().expect("a descriptor"))
            .spawn()
            .expect("the program starts");
        let mut sitting = Self {
            child,
            master,
            slave,
            before,
            shown: String::new(),
            complaints,
            _site: site,
        };
        sitting.wait_for("ready\r\n");
        sitting
    }

    fn press(&self, keys: &str) {
        let count = rustix::io::write(&self.master, keys.as_bytes()).expect("keys are taken");
        assert_eq!(count, keys.len());
    }

    /// Reads until something is shown; what was shown before it is forgotten.
    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(position) = self.shown.find(text) {
                self.shown.drain(..position + text.len());
                return;
            }
            self.read_some(end, text);
        }
    }

    fn read_some(&mut self, end: Instant, wanted: &str) {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).expect("a short time");
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        let count = poll(&mut fds, Some(&timeout)).expect("poll");
        assert!(count > 0, "`{wanted}` is not in `{}`", self.shown);
        let mut bytes = [0; 4096];
        let count = rustix::io::read(&self.master, &mut bytes).expect("the slave is open here");
        self.shown
            .push_str(&String::from_utf8_lossy(&bytes[..count]));
    }

    fn is_raw(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.slave).expect("a terminal");
        !modes
            .local_modes
            .intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Waits for the end, checks that the terminal is as before, and returns what was said last.
    fn end(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child);
        let after = rustix::termios::tcgetattr(&self.slave).expect("a terminal");
        assert_eq!(format!("{after:?}"), format!("{:?}", self.before));
        rustix::fs::seek(&self.complaints, rustix::fs::SeekFrom::Start(0)).expect("a file");
        let said = std::io::read_to_string(&self.complaints).expect("text");
        (status, said)
    }
}

fn set_size(master: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(master, size).expect("a size");
}

fn wait(child: &mut Child) -> ExitStatus {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        assert!(Instant::now() < end, "`stxl shell` does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).expect("the child is there");
}

#[test]
fn a_person_talks_to_the_command_at_a_terminal_of_its_own() {
    let mut sitting = Sitting::begin();
    assert!(sitting.is_raw());
    sitting.press("terminal\r");
    // The pseudo-terminal inside echoes, once.
    sitting.wait_for("terminal\r\nterminal /dev/pts/0 controls\r\n");
    sitting.press("kind\r");
    sitting.wait_for("kind a-kind\r\n");
    sitting.press("size\r");
    sitting.wait_for("size 33 101\r\n");
    sitting.press("quit 7\r");
    let (status, said) = sitting.end();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("exited with status 7"), "{said}");
}

#[test]
fn a_window_that_changes_its_size_does_so_inside() {
    let mut sitting = Sitting::begin();
    set_size(&sitting.master, 44, 55);
    signal(&sitting.child, Signal::WINCH);
    let end = Instant::now() + PATIENCE;
    // The signal and the keys race for the command; both arrive in the end.
    loop {
        sitting.press("size\r");
        sitting.wait_for("\r\nsize ");
        while !sitting.shown.contains('\n') {
            sitting.read_some(end, "a size");
        }
        if sitting.shown.starts_with("44 55\r\n") {
            break;
        }
        assert!(Instant::now() < end, "the size stays: {}", sitting.shown);
    }
    sitting.press("\u{4}");
    sitting.wait_for("end of input\r\n");
    let (status, _) = sitting.end();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn ctrl_c_goes_to_the_command() {
    let mut sitting = Sitting::begin();
    sitting.press("\u{3}");
    sitting.wait_for("^C");
    let (status, said) = sitting.end();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("signal 2 ended it"), "{said}");
}

#[test]
fn an_interrupt_from_outside_gives_the_terminal_back() {
    for number in [Signal::TERM, Signal::HUP, Signal::INT] {
        let sitting = Sitting::begin();
        signal(&sitting.child, number);
        let (status, said) = sitting.end();
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("it was interrupted"), "{said}");
    }
}

/// Reads until the output ends with a text.
fn read_until(output: &mut ChildStdout, text: &str) -> String {
    let mut read = String::new();
    while !read.ends_with(text) {
        let mut fds = [PollFd::from_borrowed_fd(output.as_fd(), PollFlags::IN)];
        let timeout = Timespec::try_from(PATIENCE).expect("a short time");
        assert!(poll(&mut fds, Some(&timeout)).expect("poll") > 0, "{read}");
        let mut bytes = [0; 4096];
        let count = output.read(&mut bytes).expect("a pipe");
        assert!(count > 0, "`{text}` is not the end of `{read}`");
        read.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    read
}

#[test]
fn without_a_terminal_the_streams_are_carried_as_they_come() {
    let site = Site::new();
    let mut child = site
        .command(&["demo/with"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input: ChildStdin = child.stdin.take().expect("a pipe");
    let mut output = child.stdout.take().expect("a pipe");
    assert_eq!(read_until(&mut output, "\n"), "ready\n");
    input.write_all(b"hello\n").expect("it is read");
    assert_eq!(read_until(&mut output, "\n"), "got hello\n");
    input.write_all(b"terminal\n").expect("it is read");
    assert_eq!(read_until(&mut output, "\n"), "terminal none is foreign\n");
    input.write_all(b"kind\n").expect("it is read");
    assert_eq!(read_until(&mut output, "\n"), "kind unset\n");
    input.write_all(b"complain\n").expect("it is read");
    assert_eq!(read_until(&mut output, "\n"), "complained\n");
    drop(input);
    assert_eq!(read_until(&mut output, "\n"), "end of input\n");
    assert_eq!(wait(&mut child).code(), Some(0));
    let errors = std::io::read_to_string(child.stderr.take().expect("a pipe")).expect("text");
    assert!(errors.contains("a complaint\n"), "{errors}");
}

#[test]
fn much_goes_through_in_both_directions_at_once() {
    let site = Site::new();
    let mut child = site
        .command(&["demo/with", "--", "/bin/sh", "copy"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut input = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn({
        let sent = sent.clone();
        move || input.write_all(&sent)
    });
    let mut received = Vec::new();
    let mut output = child.stdout.take().expect("a pipe");
    output.read_to_end(&mut received).expect("a pipe");
    writer
        .join()
        .expect("a thread")
        .expect("everything is read");
    assert!(received == sent, "{} of {}", received.len(), sent.len());
    assert_eq!(wait(&mut child).code(), Some(0));
}

/// What a step left that failed is there to be looked at, with its commands, until it is replaced.
#[test]
fn a_failed_step_can_be_entered_as_it_failed() {
    let site = Site::new();
    let run = |command: &mut Command| {
        let output = command.output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let failed = |file: &str| {
        let words = ["--failed", "demo/with", "--", "/bin/sh", "show", file];
        run(&mut site.command(&words))
    };
    let (code, _, told) = failed("/out/left");
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains("stxl build --keep-failed demo/with"),
        "{told}"
    );
    let build = |words: &[&str]| run(&mut site.command_of("build", words));
    let (code, _, told) = build(&["demo/with", "--keep-failed"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("to enter:  stxl shell --failed demo/with"),
        "{told}"
    );
    let (code, left, told) = failed("/out/left");
    assert_eq!((code, left.as_str()), (Some(0), "what it's left"), "{told}");
    assert!(told.contains("as it failed"), "{told}");
    let (_, script, _) = failed("/dev/stxl/step");
    assert_eq!(script, "#!/bin/sh -e\n'/bin/sh' 'fail' 'it'\\''s'\n");
    // As it begins, the root has nothing of that.
    let words = ["demo/with", "--", "/bin/sh", "show", "/out/left"];
    let (code, ..) = run(&mut site.command(&words));
    assert_eq!(code, Some(1));
    // Another recipe of the same name did not leave that.
    let definition = site
        .0
        .path()
        .join("workspace/stages/demo/with/package.rhai");
    let text = std::fs::read_to_string(&definition).expect("the definition");
    let other = text.replace("version: \"1\"", "version: \"2\"");
    std::fs::write(&definition, other).expect("the definition");
    assert_eq!(failed("/out/left").0, Some(2));
    std::fs::write(&definition, text).expect("the definition");
    assert_eq!(failed("/out/left").0, Some(0));
    // A later failure replaces it, and lets go of it if nobody wants it.
    let (code, _, told) = build(&["demo/with"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("to enter:  stxl shell demo/with"), "{told}");
    assert_eq!(failed("/out/left").0, Some(2));
}

#[test]
fn a_root_without_a_shell_is_told_with_a_hint() {
    let site = Site::new();
    let output = site
        .command(&["demo/without"])
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("the root of this step has no `/bin/sh`"),
        "{said}"
    );
    assert!(said.contains("hint"), "{said}");
    assert!(
        said.contains("stxl shell demo/without -- COMMAND"),
        "{said}"
    );
    let output = site
        .command(&["demo/without", "--", "/bin/other"])
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "ready\nend of input\n"
    );
    assert_eq!(output.status.code(), Some(0));
}
