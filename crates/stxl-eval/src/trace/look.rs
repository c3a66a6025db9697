//! A second look at what a trace was made from, and meanwhile a guess that nothing is another.

use stxl_lang::SourcePath;

use super::Trace;
use super::evaluate::{Account, Session, Whole};
use super::recall::{Asked, Wish};
use super::suspects::Suspects;
use super::verify::verify;
use crate::child::named_folders;
use crate::evaluator::{ReadSettings, settings_of};
use crate::layout::{Listing, PACKAGE_FILE, list_packages};
use crate::link::{Linked, link};
use crate::read::{Found, Look, Read};
use crate::record::Records;
use crate::settings::{SETTINGS_FILE, Settings};
use crate::source_tree::{DiskSourceTree, WorkspaceTree as _, override_path};

/// A trace, and what is there of that which it was made from.
pub(super) struct Looked {
    /// As it was, but with what was found.
    pub(super) trace: Trace,
    pub(super) settings: Settings,
    /// Of everything that was read, by position.
    pub(super) is_changed: Vec<bool>,
    pub(super) is_listed_anew: bool,
    pub(super) has_new_stamp: bool,
}

impl Looked {
    /// What comes of a trace that holds.
    pub(super) fn into_whole(self, linked: Linked) -> Whole {
        let account = Account {
            recalled: self.trace.records.packages.len(),
            ..Account::default()
        };
        Whole::new(linked, account, self.trace, self.has_new_stamp)
    }

    /// Whether anything is not what it was.
    pub(super) fn is_other(&self) -> bool {
        self.is_listed_anew || self.is_changed.contains(&true)
    }
}

/// Whether a guess is made beside a look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Guessing {
    Yes,
    /// Nobody would use it.
    No,
}

/// What cannot be compared with what is there.
pub(super) struct Unseen {
    /// As it was; none if it is of two workspaces by now.
    pub(super) trace: Option<Trace>,
    pub(super) reason: &'static str,
}

impl Session<'_> {
    /// The workspace with all folders that its definitions may name, and its settings, which are
    /// looked into only if they are those that the records were made with: the child has read them
    /// without harm.
    pub(super) fn open(&self, records: &Records) -> Option<(DiskSourceTree, ReadSettings)> {
        let tree = DiskSourceTree::open(&self.request.folder).ok()?;
        let tree = tree.with_overrides(&self.request.overrides);
        let path = SourcePath::new(SETTINGS_FILE);
        let read = settings_of(Ok(tree.read_stamped(&path).ok()?));
        let known = records.reads.get(&Read::File(path))?;
        if read.look.found != known.found {
            return None;
        }
        let local = named_folders(&tree, &self.request.folder);
        let readable = self.request.readable.iter().chain(&local);
        for name in read.settings.overlays.iter().chain(readable) {
            tree.allow_folder(name);
        }
        Some((tree, read))
    }

    /// Looks again at what a trace was made from, as far as it is suspected to be another.
    pub(super) fn look(&self, trace: Trace, suspects: &Suspects) -> Result<Looked, Box<Unseen>> {
        self.look_and_guess(trace, suspects, Guessing::No)
            .map(|(looked, _)| looked)
    }

    /// Looks again, and meanwhile makes a plan of what is on record, if it is wanted: a guess that
    /// is right if nothing is another.
    pub(super) fn look_and_guess(
        &self,
        mut trace: Trace,
        suspects: &Suspects,
        guessing: Guessing,
    ) -> Result<(Looked, Option<Linked>), Box<Unseen>> {
        let unseen = |trace, reason| Err(Box::new(Unseen { trace, reason }));
        let Some((tree, read)) = self.open(&trace.records) else {
            return unseen(Some(trace), "`stxl.toml` changed");
        };
        let look = || verify(&tree, &trace, self.beginning, suspects);
        let (looks, guess) = match guessing {
            Guessing::No => (look(), None),
            Guessing::Yes => std::thread::scope(|scope| {
                let looks = scope.spawn(look);
                let guess = self.guess(&trace, &read.settings);
                match looks.join() {
                    Ok(looks) => (looks, guess),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }),
        };
        let known = trace.records.reads.values();
        let is_changed: Vec<bool> = looks
            .iter()
            .zip(known)
            .map(|(look, known)| look.is_none_or(|look| look.found != known.found))
            .collect();
        let settings = Read::File(SourcePath::new(SETTINGS_FILE));
        let settings = trace.records.reads.get_index_of(&settings);
        if settings.and_then(|position| is_changed.get(position)) != Some(&false) {
            return unseen(Some(trace), "`stxl.toml` changed");
        }
        let is_listed_anew =
            is_listing_stale(&trace, &looks, &is_changed) || !are_overrides_listed(&trace, &tree);
        let listing = is_listed_anew.then(|| {
            let mut listing = list_packages(&tree, &read.settings);
            listing.diagnostics.extend(read.diagnostics);
            listing
        });
        if listing.as_ref().is_some_and(Listing::is_wrong) {
            return unseen(Some(trace), "the list of packages is wrong");
        }
        let has_new_stamp = has_new_stamp(&trace, &looks);
        take_over(&mut trace, looks);
        if let Some(listing) = listing {
            match listing.note_in(&mut trace.records) {
                Some(listed) => trace.listed = listed,
                None => return unseen(None, "the workspace changed meanwhile"),
            }
        }
        let looked = Looked {
            trace,
            settings: read.settings,
            is_changed,
            is_listed_anew,
            has_new_stamp,
        };
        Ok((looked, guess))
    }

    /// Links what is on record; none if that does not suffice.
    fn guess(&self, trace: &Trace, settings: &Settings) -> Option<Linked> {
        let Trace {
            records,
            stale,
            listed,
            base: _,
        } = trace;
        if !stale.is_empty() {
            return None;
        }
        let wish = Wish::of(&self.request.evaluation, settings, &listed.layout)?;
        let asked = Asked::of(records, &wish)?;
        if !asked.unknown.is_empty() {
            return None;
        }
        let linked = link(records, asked.targets, None).ok()?;
        self.are_options_declared(&linked).then_some(linked)
    }
}

/// Whether the list of packages may be another one.
fn is_listing_stale(trace: &Trace, looks: &[Option<Look>], is_changed: &[bool]) -> bool {
    let is_changed_at = |position: &u32| is_changed.get(*position as usize) != Some(&false);
    // A definition that is gone, or was not there, is a package less or more.
    let is_other_package = || {
        let reads = trace.records.reads.iter().zip(looks);
        reads.into_iter().any(|((read, known), look)| {
            let is_there =
                |look: Option<Look>| matches!(look.map(|look| look.found), Some(Found::Bytes(_)));
            let Read::File(path) = read else { return false };
            let name = path.as_str().rsplit('/').next();
            name == Some(PACKAGE_FILE) && is_there(*look) != is_there(Some(*known))
        })
    };
    trace.listed.reads.iter().any(is_changed_at) || is_other_package()
}

/// Whether the list of packages has the texts that lie over them: one that was made without does
/// not.
fn are_overrides_listed(trace: &Trace, tree: &DiskSourceTree) -> bool {
    let packages = &trace.listed.layout.packages;
    tree.overridden().iter().all(|label| {
        let layers = packages.get(label);
        layers.is_some_and(|layers| layers.last() == Some(&override_path(label)))
    })
}

fn has_new_stamp(trace: &Trace, looks: &[Option<Look>]) -> bool {
    let stamps = looks.iter().map(|look| look.and_then(|look| look.stamp));
    let mut pairs = trace.records.reads.values().zip(stamps);
    pairs.any(|(known, stamp)| stamp.is_some() && stamp != known.stamp)
}

/// Puts on record what is there: whatever was made from something else is taken out by that.
fn take_over(trace: &mut Trace, looks: Vec<Option<Look>>) {
    let known = trace.records.reads.values_mut().zip(looks);
    for (position, (known, look)) in (0..).zip(known) {
        // What cannot be read is nothing that anybody could have evaluated with.
        let look = look.unwrap_or(Look::without_stamp(Found::Nothing));
        if *known != look {
            *known = look;
            if let Some(base) = &mut trace.base {
                base.reads.insert(position);
            }
        }
    }
}
