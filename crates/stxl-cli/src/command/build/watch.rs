//! `stxl build --watch`: builds, waits for changes, and builds again what they concern.
//!
//! This process evaluates and watches, and stays who it was started by; a process of its own builds
//! each plan, as `stxl build` does. When the plan becomes another while one is built, the process
//! finishes only what both have and shows nothing more; the next one waits for these steps, and
//! goes on with all else at once.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stxl_eval::{Round, Suspects, WatchedWorkspace};
use stxl_model::{Plan, PlanRoot};

use super::planned::{self, PLANNED_ARGUMENT};
use super::{Asked, check_linkable};
use crate::development;
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::news::{News, Purpose};
use crate::session::THIS_PROGRAM;
use crate::terminal::print_data;
use crate::watch::{Watcher, Woken};

/// How often a signal is looked for while another process is waited for.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often a plan is built again because a file changed while it was taken in, before the next
/// change is waited for: something keeps writing to it.
const OUTDATED_MAX: u32 = 3;

/// Builds until a signal comes. What is to be remembered of evaluations is saved at the end.
pub(super) fn run(asked: &Asked<'_>) -> Result<(), Failure> {
    let begin = Instant::now();
    let interrupts = Interrupts::catch()?;
    let mut watcher = Watcher::new(&asked.workspace, Interrupts::wakers()?)?;
    let (mut watched, texts) = evaluation::watched(&asked.workspace, &asked.build.selection)?;
    let mut news = News::new(texts, Purpose::Build, asked.audience, asked.terminal);
    let mut builds = Builds {
        asked,
        interrupts: &interrupts,
        number: 0,
        current: None,
        leaving: Vec::new(),
        built: None,
        outdated: 0,
    };
    let end = builds.rounds(&mut watched, &mut watcher, &mut news, begin);
    builds.end();
    evaluation::save(watched.into_unsaved(), asked.terminal);
    end
}

/// What was waited for.
enum Awaited {
    /// Something may be another, first at this time.
    Changes(Suspects, Instant),
    /// Somebody ended it.
    End(Result<(), Failure>),
}

/// The builds of plans, one after the other.
struct Builds<'a> {
    asked: &'a Asked<'a>,
    interrupts: &'a Interrupts,
    /// Of the last one that began.
    number: u64,
    current: Option<Build>,
    /// Those whose plan was superseded, while they finish what the next ones need too.
    leaving: Vec<Build>,
    /// What the last one that began is to give; nothing if it has to be built again anyway.
    built: Option<Vec<PlanRoot>>,
    /// How often in a row something changed while it was taken in.
    outdated: u32,
}

/// A process that builds a plan.
struct Build {
    child: Child,
    socket: UnixStream,
    /// Carries its records, if a program reads them.
    carrier: Option<JoinHandle<()>>,
}

impl Builds<'_> {
    /// Evaluates and builds, again and again, until somebody or something ends it.
    fn rounds(
        &mut self,
        watched: &mut WatchedWorkspace,
        watcher: &mut Watcher,
        news: &mut News,
        begin: Instant,
    ) -> Result<(), Failure> {
        let mut changes = Suspects::All;
        let mut since = begin;
        loop {
            let evaluated = watched.evaluate(&changes);
            if self.interrupts.cancel.is_cancelled() {
                return Err(Failure::shown(Exit::Interrupted));
            }
            let round = match evaluated {
                Ok(round) => round,
                Err(error) => {
                    // A workspace that went meanwhile is the better reason.
                    watcher.check_workspace()?;
                    return Err(Failure::environment(error));
                }
            };
            let unwatched = watcher.watch(&watched.take_dependencies(&changes))?;
            match round {
                Some(round) => self.take(round, news, since)?,
                None => self.build_again(news)?,
            }
            if !unwatched.is_none() {
                // It may have changed between the look at it and the watch.
                changes = unwatched;
                since = Instant::now();
                continue;
            }
            match self.wait(watched, watcher)? {
                Awaited::Changes(suspects, first) => (changes, since) = (suspects, first),
                Awaited::End(end) => return end,
            }
        }
    }

    /// Takes what an evaluation gave: a plan that gives something else than the last one is built.
    fn take(&mut self, round: Round, news: &mut News, since: Instant) -> Result<(), Failure> {
        let round = news.under_policy(round, self.asked.build.policy.opaque())?;
        let plan = round.plan.as_deref();
        let begins = plan.filter(|plan| self.built.as_deref() != Some(plan.roots()));
        let linkable = begins.map_or(Ok(()), |plan| self.check_linkable(plan));
        let Some(plan) = begins.filter(|_| linkable.is_ok()) else {
            let mut text = news.tell_before_build(round, since, None)?;
            if let Err(failure) = linkable {
                // What was asked for at first cannot be meant.
                if self.number == 0 {
                    return Err(failure);
                }
                text += &format!("nothing is built: {}\n", failure.message);
            }
            self.show(&text);
            return Ok(());
        };
        self.supersede(plan)?;
        let is_first = news.plan().is_none();
        self.number += 1;
        let text = news.tell_before_build(round, since, Some(self.number))?;
        self.asked.terminal.text(&text);
        match news.plan() {
            Some(plan) => {
                if is_first && self.asked.audience == Audience::Person {
                    let variant = &self.asked.build.selection.variant;
                    development::tell(plan, variant, self.asked.terminal);
                }
                self.begin(plan)
            }
            None => Ok(()),
        }
    }

    /// Shows a text, beside what a build draws.
    fn show(&self, text: &str) {
        let terminal = self.asked.terminal;
        let drawing = self.current.as_ref().filter(|_| terminal.is_interactive());
        let shown = drawing.map(|build| planned::show(&build.socket, text));
        if !matches!(shown, Some(Ok(()))) {
            terminal.text(text);
        }
    }

    /// Builds the last plan once more, if that was not of what was there.
    fn build_again(&mut self, news: &News) -> Result<(), Failure> {
        match news.plan() {
            Some(plan)
                if self.built.is_none()
                    && self.current.is_none()
                    && self.check_linkable(plan).is_ok() =>
            {
                self.number += 1;
                self.begin(plan)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether one link, if it is wanted, can lead to what a plan gives.
    fn check_linkable(&self, plan: &Plan) -> Result<(), Failure> {
        match self.asked.link {
            Some(_) => check_linkable(plan, &self.asked.build.selection),
            None => Ok(()),
        }
    }

    fn begin(&mut self, plan: &Plan) -> Result<(), Failure> {
        let failed = |error: io::Error| {
            Failure::environment(format!("the build cannot be started: {error}"))
        };
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        let is_for_programs = self.asked.audience == Audience::Program;
        let mut child = Command::new(THIS_PROGRAM)
            .arg(PLANNED_ARGUMENT)
            .args(std::env::args_os().skip(1))
            .stdin(std::os::fd::OwnedFd::from(theirs))
            .stdout(if is_for_programs {
                Stdio::piped()
            } else {
                Stdio::inherit()
            })
            .spawn()
            .map_err(failed)?;
        let number = self.number;
        let stdout = child.stdout.take();
        let carrier = stdout.map(|stdout| std::thread::spawn(move || carry(stdout, number)));
        // One that ended at once has said why.
        drop(planned::hand_over(&socket, plan));
        self.built = Some(plan.roots().to_vec());
        self.current = Some(Build {
            child,
            socket,
            carrier,
        });
        Ok(())
    }

    /// Has the build that goes on finish what another plan needs too, and show nothing more.
    fn supersede(&mut self, plan: &Plan) -> Result<(), Failure> {
        let Some(mut build) = self.current.take() else {
            return Ok(());
        };
        // One that has ended meanwhile has nothing to finish.
        drop(planned::supersede(&build.socket, plan));
        let failed = |error: io::Error| Failure::environment(format!("the build is lost: {error}"));
        let timeout = build.socket.set_read_timeout(Some(PATIENCE));
        timeout.map_err(failed)?;
        let mut told = [0];
        loop {
            match build.socket.read(&mut told) {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) && !self.interrupts.cancel.is_cancelled() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => break,
            }
        }
        self.leaving.push(build);
        Ok(())
    }

    /// Waits for a change; builds that end meanwhile are taken leave of.
    fn wait(
        &mut self,
        watched: &mut WatchedWorkspace,
        watcher: &mut Watcher,
    ) -> Result<Awaited, Failure> {
        loop {
            self.leaving.retain_mut(|build| {
                let is_there = matches!(build.child.try_wait(), Ok(None));
                if !is_there {
                    build.join();
                }
                is_there
            });
            let socket = self.current.as_ref().map(|build| build.socket.as_fd());
            match watcher.wait(watched, socket)? {
                Woken::Changed { suspects, since } => {
                    self.outdated = 0;
                    return Ok(Awaited::Changes(suspects, since));
                }
                Woken::Interrupted => {
                    return Ok(Awaited::End(Err(Failure::shown(Exit::Interrupted))));
                }
                Woken::Unread => return Ok(Awaited::End(Ok(()))),
                Woken::Told => {
                    let Some(build) = self.current.take() else {
                        continue;
                    };
                    let status = build.end()?;
                    if status.code() == Some(i32::from(Exit::Outdated.code())) {
                        self.outdated += 1;
                        if self.outdated <= OUTDATED_MAX {
                            self.built = None;
                            return Ok(Awaited::Changes(Suspects::All, Instant::now()));
                        }
                        self.asked.terminal.note(
                            "something keeps writing to what is built: waiting until it is done",
                        );
                    }
                    if self.asked.audience == Audience::Person
                        && !self.interrupts.cancel.is_cancelled()
                    {
                        self.asked.terminal.note("waiting for changes");
                    }
                }
            }
        }
    }

    /// Ends all builds, and waits until they have.
    fn end(self) {
        let Self {
            current, leaving, ..
        } = self;
        let ending: Vec<(Child, Option<JoinHandle<()>>)> = current
            .into_iter()
            .chain(leaving)
            .map(|build| (build.child, build.carrier))
            .collect();
        // Their sockets are closed by now, which tells them.
        for (mut child, carrier) in ending {
            // One that cannot be waited for has nothing to say either.
            drop(child.wait());
            carrier.map(JoinHandle::join);
        }
    }
}

impl Build {
    /// Waits for a process that ends.
    fn end(mut self) -> Result<ExitStatus, Failure> {
        let status = self.child.wait().map_err(|error| {
            Failure::environment(format!("the build cannot be waited for: {error}"))
        })?;
        self.join();
        Ok(status)
    }

    fn join(&mut self) {
        if let Some(carrier) = self.carrier.take() {
            // It has carried what there was.
            drop(carrier.join());
        }
    }
}

/// Carries the records of a build, each with the number of the build.
fn carry(stdout: ChildStdout, number: u64) {
    for line in BufReader::new(stdout).lines() {
        let Ok(line) = line else { return };
        let rest = line.strip_prefix('{').unwrap_or(&line);
        let record = format!("{{\"round\":{number},{rest}\n");
        if print_data(record.as_bytes()).is_err() {
            return;
        }
    }
}
