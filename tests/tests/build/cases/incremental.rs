//! Incremental steps: what of a run the next one finds, and when it begins anew.

use std::time::Duration;

use stxl_build::{BuildOptions, Check, CheckWorld};
use stxl_model::TreeOp;

use super::Case;
use crate::build::recipe::path;
use crate::build::site::{Site, Told};

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    (
        "only_what_was_edited_is_made_again",
        only_what_was_edited_is_made_again,
    ),
    ("a_failed_run_is_gone_on_from", a_failed_run_is_gone_on_from),
    (
        "a_run_that_was_ended_leaves_nothing",
        a_run_that_was_ended_leaves_nothing,
    ),
    (
        "a_plan_that_is_not_local_begins_anew",
        a_plan_that_is_not_local_begins_anew,
    ),
    ("a_rebuild_check_begins_anew", a_rebuild_check_begins_anew),
    (
        "a_check_in_the_same_world_begins_anew",
        a_check_in_the_same_world_begins_anew,
    ),
    (
        "what_is_new_is_written_where_the_build_hid_it",
        what_is_new_is_written_where_the_build_hid_it,
    ),
    ("variants_do_not_take_turns", variants_do_not_take_turns),
    (
        "make_is_told_to_remove_what_failed",
        make_is_told_to_remove_what_failed,
    ),
    (
        "what_a_build_left_leads_nowhere",
        what_a_build_left_leads_nowhere,
    ),
    (
        "a_collection_removes_what_is_kept",
        a_collection_removes_what_is_kept,
    ),
];

const PACKAGE: &str = "test/edited";

/// What make would do about two sources.
const COMPILE: &str = "compile /out/made a.c sub/b.c";
const LINK: &str = "cat /out/result a.c.o sub/b.c.o";

/// The sources of a checkout, by path; of a path below another one, that is a folder.
type Sources<'s> = &'s [(&'s str, &'s str)];

const BOTH: Sources<'_> = &[("a.c", "a"), ("sub/b.c", "b")];

/// A build of an edited checkout.
struct Build<'b> {
    sources: Sources<'b>,
    commands: &'b [&'b str],
    /// What else is in the root.
    around: &'b str,
    is_local: bool,
    wall_ms: u64,
    check: Check,
    is_perturbed: bool,
}

impl Default for Build<'_> {
    fn default() -> Self {
        Self {
            sources: BOTH,
            commands: &[COMPILE, LINK],
            around: "around",
            is_local: true,
            wall_ms: 0,
            check: Check::Off,
            is_perturbed: true,
        }
    }
}

impl Build<'_> {
    fn run(&self, site: &Site) -> Told {
        let mut recipe = site.recipe();
        recipe.limits(self.wall_ms, 0);
        let around = recipe.text("around", self.around);
        let (mut inputs, mut ops) = (vec![recipe.root(&[around])], Vec::new());
        ops.push(TreeOp::PutTree {
            input: 0,
            at: path("/"),
        });
        for (name, text) in self.sources {
            let file = recipe.text(&format!("source-{}", name.replace('/', "-")), text);
            inputs.push(file);
            ops.push(TreeOp::PutFile {
                input: u32::try_from(inputs.len() - 1).unwrap(),
                at: path(&format!("/src/{name}")),
                mode: stxl_model::PutMode::Unchanged,
            });
        }
        let root = recipe.compose(inputs, ops);
        let step = recipe.incremental_step(PACKAGE, (root, "/src"), self.commands);
        recipe.want(PACKAGE, step);
        if self.is_local {
            recipe.plan.mark_local();
        }
        let options = BuildOptions {
            check: self.check,
            check_world: CheckWorld {
                gap: Duration::ZERO,
                perturbed: CheckWorld::default()
                    .perturbed
                    .into_iter()
                    .filter(|_| self.is_perturbed)
                    .collect(),
            },
            ..site.options()
        };
        site.build_with(&recipe.plan, &options)
    }

    /// What was made, and what was linked of it.
    fn made(&self, site: &Site) -> (String, String) {
        let told = self.run(site);
        assert!(told.summary.failed.is_empty(), "{:?}", told.events);
        let text = |name| String::from_utf8(site.output(&told, PACKAGE, name)).unwrap();
        (text("/made"), text("/result"))
    }
}

fn of(made: &str, result: &str) -> (String, String) {
    (made.to_owned(), result.to_owned())
}

const ALL: &str = "a.c sub/b.c ";

fn only_what_was_edited_is_made_again() {
    let site = Site::new();
    let of_sources = |sources| Build {
        sources,
        ..Build::default()
    };
    let first = of_sources(BOTH);
    let steps: &[(&str, Build<'_>, (&str, &str))] = &[
        ("the first", first, (ALL, "ab")),
        (
            "an edited file",
            of_sources(&[("a.c", "A"), ("sub/b.c", "b")]),
            ("a.c ", "Ab"),
        ),
        (
            "an edited file in a folder",
            of_sources(&[("a.c", "A"), ("sub/b.c", "B")]),
            ("sub/b.c ", "AB"),
        ),
        (
            "new files and folders",
            of_sources(&[("a.c", "A"), ("new/c", "c"), ("n", "n"), ("sub/b.c", "B")]),
            ("", "AB"),
        ),
        (
            "files that are gone, and one that is what it was before",
            of_sources(&[("a.c", "a"), ("new/c", "c"), ("sub/b.c", "B")]),
            ("a.c ", "aB"),
        ),
        (
            "a folder that is gone",
            of_sources(&[("a.c", "a"), ("sub/b.c", "C")]),
            ("sub/b.c ", "aC"),
        ),
        (
            "a file in the place of an object",
            of_sources(&[("a.c", "a"), ("a.c.o", "mine"), ("sub/b.c", "C")]),
            ("", "mineC"),
        ),
        (
            "other things in the root",
            Build {
                around: "other",
                ..Build::default()
            },
            (ALL, "ab"),
        ),
        (
            "another recipe",
            Build {
                commands: &[COMPILE, LINK, "say other"],
                around: "other",
                ..Build::default()
            },
            (ALL, "ab"),
        ),
        (
            "a file that was a folder",
            Build {
                sources: &[("a.c", "1"), ("new", "n"), ("sub/b.c", "2")],
                commands: &[COMPILE, LINK, "say other"],
                around: "other",
                ..Build::default()
            },
            ("a.c sub/b.c ", "12"),
        ),
        (
            "a folder that was a file",
            Build {
                sources: &[("a.c", "1"), ("new/c", "n"), ("sub/b.c", "3")],
                commands: &[COMPILE, LINK, "say other"],
                around: "other",
                ..Build::default()
            },
            (ALL, "13"),
        ),
    ];
    for (what, build, (made, result)) in steps {
        assert_eq!(build.made(&site), of(made, result), "{what}");
    }
}

fn a_failed_run_is_gone_on_from() {
    let site = Site::new();
    let commands = &[COMPILE, "gone stop", LINK];
    let with = |sources| Build {
        sources,
        commands,
        ..Build::default()
    };
    assert_eq!(with(BOTH).made(&site), of(ALL, "ab"));
    let stopped = with(&[("a.c", "A"), ("stop", ""), ("sub/b.c", "b")]).run(&site);
    assert_eq!(stopped.summary.failed.len(), 1);
    let left = with(&[("a.c", "A"), ("sub/b.c", "B")]).made(&site);
    assert_eq!(left, of("sub/b.c ", "AB"), "the other one was made before");
    // What fails once more as it was may do so because it was gone on from.
    let failing = with(&[("a.c", "A"), ("stop", ""), ("sub/b.c", "B")]);
    assert_eq!(failing.run(&site).summary.failed.len(), 1);
    assert_eq!(failing.run(&site).summary.failed.len(), 1);
    let next = with(&[("a.c", "1"), ("sub/b.c", "B")]).made(&site);
    assert_eq!(
        next,
        of("a.c ", "1B"),
        "the second one began anew and is gone on from"
    );
}

fn a_run_that_was_ended_leaves_nothing() {
    let site = Site::new();
    let commands = &[COMPILE, LINK, "sleep 3000"];
    let ended = Build {
        commands,
        wall_ms: 500,
        ..Build::default()
    };
    assert_eq!(ended.run(&site).summary.failed.len(), 1);
    let whole = Build {
        commands,
        ..Build::default()
    };
    assert_eq!(whole.made(&site), of(ALL, "ab"));
}

fn a_plan_that_is_not_local_begins_anew() {
    let site = Site::new();
    let others = |sources| Build {
        sources,
        is_local: false,
        ..Build::default()
    };
    assert_eq!(Build::default().made(&site), of(ALL, "ab"));
    let edited = others(&[("a.c", "A"), ("sub/b.c", "b")]);
    assert_eq!(edited.made(&site), of(ALL, "Ab"));
    let again = others(&[("a.c", "A"), ("sub/b.c", "B")]);
    assert_eq!(again.made(&site), of(ALL, "AB"), "and keeps nothing");
}

fn a_rebuild_check_begins_anew() {
    let site = Site::new();
    Build::default().made(&site);
    let edited: Sources<'_> = &[("a.c", "A"), ("sub/b.c", "b")];
    let build = Build {
        sources: edited,
        check: Check::WholeClosure,
        ..Build::default()
    };
    let told = build.run(&site);
    let differing: Vec<String> = told
        .summary
        .mismatches
        .iter()
        .flat_map(|it| &it.differences)
        .map(|it| it.path.to_string())
        .collect();
    // The list of what was made tells that not everything was; what was linked is the same.
    assert_eq!(differing, ["/made"], "{:?}", told.events);
    let next = Build {
        check: Check::Off,
        ..build
    };
    assert_eq!(next.made(&site), of(ALL, "Ab"), "what differs is given up");
}

/// With nothing to be another around it, a check is one still.
fn a_check_in_the_same_world_begins_anew() {
    let site = Site::new();
    Build::default().made(&site);
    let build = Build {
        sources: &[("a.c", "A"), ("sub/b.c", "b")],
        check: Check::WholeClosure,
        is_perturbed: false,
        ..Build::default()
    };
    assert_eq!(build.run(&site).summary.mismatches.len(), 1);
}

fn what_is_new_is_written_where_the_build_hid_it() {
    let site = Site::new();
    let with = |sources| Build {
        sources,
        commands: &[COMPILE, "hide /out/result"],
        ..Build::default()
    };
    let first: Sources<'_> = &[("a.c", "a"), ("new/c", "c"), ("sub/b.c", "b")];
    assert_eq!(with(first).made(&site), of(ALL, "hidden"));
    let more: Sources<'_> = &[
        ("a.c", "a"),
        ("new/c", "c"),
        ("new/later/d", "d"),
        ("sub/b.c", "b"),
    ];
    assert_eq!(with(more).made(&site), of("", "seen"));
}

/// Two recipes of one step, taken in turn, find each their own.
fn variants_do_not_take_turns() {
    let site = Site::new();
    let with = |commands, sources| Build {
        sources,
        commands,
        ..Build::default()
    };
    let (one, other): (&[&str], &[&str]) = (&[COMPILE, LINK], &[COMPILE, LINK, "say other"]);
    let edited: Sources<'_> = &[("a.c", "A"), ("sub/b.c", "b")];
    assert_eq!(with(one, BOTH).made(&site), of(ALL, "ab"));
    assert_eq!(with(other, BOTH).made(&site), of(ALL, "ab"));
    assert_eq!(with(one, edited).made(&site), of("a.c ", "Ab"));
    assert_eq!(with(other, edited).made(&site), of("a.c ", "Ab"));
}

/// What a failed command was writing is no result: make removes it.
fn make_is_told_to_remove_what_failed() {
    let site = Site::new();
    let build = Build {
        commands: &["write /out/made -", "env /out/result MAKEFLAGS"],
        ..Build::default()
    };
    let (_, flags) = build.made(&site);
    assert!(flags.ends_with(" --eval=.DELETE_ON_ERROR:"), "{flags}");
}

/// A build puts a link in the place of a folder of sources: nothing is written through it.
fn what_a_build_left_leads_nowhere() {
    let site = Site::new();
    let commands = &[
        COMPILE,
        LINK,
        "remove sub/b.c",
        "remove sub/b.c.o",
        "remove sub",
        "link / sub",
    ];
    let with = |sources| Build {
        sources,
        commands,
        ..Build::default()
    };
    assert_eq!(with(BOTH).made(&site), of(ALL, "ab"));
    let made = with(&[("a.c", "a"), ("sub/b.c", "B")]).made(&site);
    assert_eq!(made, of(ALL, "aB"), "the next one begins anew");
}

fn a_collection_removes_what_is_kept() {
    let site = Site::new();
    Build::default().made(&site);
    let kept = site.store_path().join("kept");
    let count = || kept_count(&kept);
    assert_eq!(count(), 1);
    site.store.gc(&stxl_store::GcPolicy::default()).unwrap();
    assert_eq!(count(), 0);
    let edited = Build {
        sources: &[("a.c", "A"), ("sub/b.c", "b")],
        ..Build::default()
    };
    assert_eq!(edited.made(&site), of(ALL, "Ab"));
    assert!(site.store.fsck().unwrap().breaches.is_empty());
}

/// How many directories are kept, of all boots.
fn kept_count(kept: &std::path::Path) -> usize {
    let boots = std::fs::read_dir(kept).unwrap();
    let of_boot = |boot: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_dir(boot.unwrap().path()).unwrap().count()
    };
    boots.map(of_boot).sum()
}
