//! `stxl eval --watch`.

use std::path::Path;
use std::time::Instant;

use stxl_eval::Suspects;

use crate::arguments::EvalArguments;
use crate::evaluation::{self, Audience};
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::news::{News, Purpose};
use crate::terminal::Terminal;
use crate::watch::{Watcher, Woken};

/// Evaluates until a signal comes. What is to be remembered is saved at the end.
pub(crate) fn run(
    eval: &EvalArguments,
    workspace: &Path,
    terminal: Terminal,
) -> Result<(), Failure> {
    let begin = Instant::now();
    let interrupts = Interrupts::catch()?;
    let mut watcher = Watcher::new(workspace, Interrupts::wakers()?)?;
    let (mut watched, texts) = evaluation::watched(workspace, &eval.selection)?;
    let audience = if eval.json {
        Audience::Program
    } else {
        Audience::Person
    };
    let mut news = News::new(texts, Purpose::Plan, audience, terminal);
    let mut changes = Suspects::All;
    let mut since = begin;
    let end = loop {
        let evaluated = watched.evaluate(&changes);
        if interrupts.cancel.is_cancelled() {
            break Err(Failure::shown(Exit::Interrupted));
        }
        let round = match evaluated {
            Ok(round) => round,
            Err(error) => {
                // A workspace that went meanwhile is the better reason.
                watcher.check_workspace()?;
                return Err(Failure::environment(error));
            }
        };
        if let Some(round) = round {
            let round = news.under_policy(round, eval.policy.opaque())?;
            news.tell(round, since)?;
        }
        let unwatched = watcher.watch(&watched.take_dependencies(&changes))?;
        if !unwatched.is_none() {
            // It may have changed between the look at it and the watch.
            changes = unwatched;
            since = Instant::now();
            continue;
        }
        match watcher.wait(&mut watched, None)? {
            Woken::Changed {
                suspects,
                since: first,
            } => (changes, since) = (suspects, first),
            Woken::Told => {}
            Woken::Interrupted => break Err(Failure::shown(Exit::Interrupted)),
            Woken::Unread => break Ok(()),
        }
    };
    evaluation::save(watched.into_unsaved(), terminal);
    end
}
