//! The rebuild check: what each perturbation provokes, and what a check waits for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stxl_build::{
    BuildOptions, BuildOutcome, Check, CheckWorld, OnFailure, Perturbation, Provoked,
};
use stxl_model::{Keep, Plan};

use super::{Case, expect};
use crate::build::recipe::path;
use crate::build::site::{Site, Told};

/// Every case by name.
pub(super) const CASES: &[Case] = &[
    ("every_kind_is_caught", every_kind_is_caught),
    (
        "each_perturbation_provokes_its_kind",
        each_perturbation_provokes_its_kind,
    ),
    ("fails_elsewhere", fails_elsewhere),
    ("checks_wait", checks_wait),
];

/// Commands whose result depends on one thing, by what that is.
const FIXTURES: &[(&str, &str)] = &[
    ("host-name", "host /out/file"),
    ("user", "user /out/file"),
    ("directory", "path /out/file"),
    ("environment", "env /out/file UNRELATED"),
    ("locale", "env /out/file LANG"),
    ("time-zone", "env /out/file TZ"),
    ("umask", "umask /out/file"),
    ("kernel", "kernel /out/file"),
    ("addresses", "address /out/file"),
    ("process-ids", "pid /out/file"),
    ("file-order", "entries /out/file"),
    ("scratch", "medium /out/file"),
    ("processors", "processors /out/file"),
    ("time", "seconds /out/file"),
    ("randomness", "random /out/file"),
    // In the order in which processes come that run at once.
    ("race", "race /out/file"),
];

/// Those that differ in any world, perhaps.
const RESTLESS: [&str; 3] = ["time", "randomness", "race"];

/// A step for each fixture, and two that give the same everywhere, one of which keeps its root.
fn fixtures(site: &Site) -> Plan {
    let mut recipe = site.recipe();
    let root = recipe.root(&[]);
    let keep = || Keep::Subtree(path("/out"));
    let steady = [
        "write /out/file same",
        "write /out/other same",
        "entries /tmp/list",
    ];
    let mut want = |package: &str, commands: &[&str], keep: Keep| {
        let package = format!("test/{package}");
        let id = recipe.step_at(&package, (root, "/out"), commands, keep);
        recipe.want(&package, id);
    };
    for (kind, command) in FIXTURES {
        want(kind, &["write /out/steady same", command], keep());
    }
    want("steady", &steady, keep());
    want("steady-root", &steady, Keep::Root);
    recipe.plan
}

fn checking(site: &Site, perturbed: BTreeSet<Perturbation>, gap: Duration) -> BuildOptions {
    BuildOptions {
        on_failure: OnFailure::KeepGoing,
        check: Check::WholeClosure,
        check_world: CheckWorld { perturbed, gap },
        ..site.options()
    }
}

/// The kinds of the steps that differ, each in nothing but its own file.
fn differing(told: &Told) -> BTreeSet<String> {
    let kinds = told.summary.mismatches.iter().map(|mismatch| {
        let paths = mismatch.differences.iter().map(|it| it.path.to_string());
        assert_eq!(paths.collect::<Vec<_>>(), ["/file"], "{mismatch:#?}");
        let label = mismatch.node.origin.label.as_str();
        label.trim_start_matches("test/").to_owned()
    });
    kinds.collect()
}

fn every_kind_is_caught() {
    let site = Site::new();
    let plan = fixtures(&site);
    let all: BTreeSet<_> = Perturbation::ALL.into_iter().collect();
    let options = checking(&site, all, Duration::from_secs(1));
    let told = site.build_with(&plan, &options);
    assert_eq!(
        told.summary.outcome,
        BuildOutcome::CheckFailed,
        "{:#?}",
        told.events
    );
    let report = told.summary.check.as_ref().expect("there was a check");
    let total = FIXTURES.len() + 2;
    assert_eq!(report.steps, total);
    assert!(report.failed_elsewhere.is_empty());
    let mut expected: BTreeSet<String> = FIXTURES
        .iter()
        .map(|(kind, _)| (*kind).to_owned())
        .collect();
    for perturbation in Perturbation::ALL {
        let steps = report.perturbed.get(&perturbation);
        assert!(
            steps.is_none_or(|steps| *steps == total),
            "{perturbation:?}"
        );
        if steps.is_none() {
            println!("this machine has no other {}", perturbation.name());
            assert!(expected.remove(perturbation.name()));
        }
    }
    assert_eq!(differing(&told), expected);
    assert_eq!(report.identical, total - expected.len());
    // Of each it is told whether two ordinary builds may differ so.
    for mismatch in &told.summary.mismatches {
        let label = mismatch.node.origin.label.as_str();
        let kind = Perturbation::ALL.into_iter();
        let mut kind = kind.filter(|it| label.ends_with(&format!("/{}", it.name())));
        let provoked = match kind.next() {
            Some(kind) if kind.is_fixed_by_abi() => Provoked::Elsewhere,
            Some(_) | None => Provoked::Anywhere,
        };
        assert_eq!(mismatch.provoked, Some(provoked), "{label}");
    }
    let events = told.events_of("check_failed");
    assert_eq!(events.len(), expected.len());
    assert_eq!(events[0]["perturbed"][0], "host-name");
    assert_eq!(events[0]["differences"][0]["path"], "/file");
}

fn each_perturbation_provokes_its_kind() {
    let site = Site::new();
    let plan = fixtures(&site);
    site.build(&plan);
    for perturbation in Perturbation::ALL {
        let options = checking(&site, BTreeSet::from([perturbation]), Duration::ZERO);
        let told = site.build_with(&plan, &options);
        let report = told.summary.check.as_ref().expect("there was a check");
        assert_eq!(report.steps, FIXTURES.len() + 2, "{:#?}", told.events);
        let mut kinds = differing(&told);
        if perturbation == Perturbation::Scratch {
            // A disk has an order of its own.
            kinds.remove("file-order");
        }
        let is_there = report.perturbed.contains_key(&perturbation);
        let provoked = kinds.remove(perturbation.name());
        assert!(provoked || !is_there, "{perturbation:?}");
        let others: Vec<_> = kinds
            .iter()
            .filter(|kind| !RESTLESS.contains(&kind.as_str()))
            .collect();
        assert!(others.is_empty(), "{perturbation:?}: {others:?}");
    }
    // What comes of another world is no result.
    let told = site.build(&plan);
    assert_eq!(told.summary.cached, FIXTURES.len() + 2);
}

/// A step that fails under another user, say, is compared in a world that is nearer.
fn fails_elsewhere() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let picky = recipe.step("test/picky", &[], &["user-is 0", "write /out/file same"]);
    let fails = recipe.step("test/random", &[], &["user-is 0", "random /out/file"]);
    recipe.want("test/picky", picky);
    recipe.want("test/random", fails);
    let all: BTreeSet<_> = Perturbation::ALL.into_iter().collect();
    let options = checking(&site, all, Duration::ZERO);
    let told = site.build_with(&recipe.plan, &options);
    expect(&told, [2, 0, 0, 0, 0, 2]);
    assert_eq!(differing(&told), BTreeSet::from(["random".to_owned()]));
    let report = told.summary.check.as_ref().expect("there was a check");
    assert_eq!((report.steps, report.identical), (2, 1));
    let failed = &report.failed_elsewhere;
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[0].last_lines, ["the user is 65534"]);
    assert!(failed[0].log_path.as_ref().is_some_and(|it| it.is_file()));
    assert_eq!(told.events_of("failed_elsewhere").len(), 2);
    assert_eq!(told.events_of("step_failed").len(), 0);
    assert!(report.perturbed.keys().all(|it| !it.is_fixed_by_abi()));
    // Of a step that fails in its own world, too, nothing is kept back.
    assert!(site.store.roots().expect("roots").named.is_empty());
}

fn checks_wait() {
    let site = Site::new();
    let mut recipe = site.recipe();
    let step = recipe.step("test/step", &[], &["seconds /out/file"]);
    recipe.want("test/step", step);
    let plan = recipe.plan;
    let time = || BTreeSet::from([Perturbation::Time]);
    let begin = Instant::now();
    let gap = Duration::from_secs(2);
    let told = site.build_with(&plan, &checking(&site, time(), gap));
    assert!(begin.elapsed() >= gap);
    assert_eq!(told.summary.outcome, BuildOutcome::CheckFailed);
    let waiting = told.events_of("check_waiting");
    assert_eq!((waiting.len(), &waiting[0]["steps"]), (1, &1.into()));
    // It is known when the step ran, by another process too.
    let site = site.reopen();
    let told = site.build_with(&plan, &checking(&site, time(), gap / 2));
    assert_eq!(told.summary.outcome, BuildOutcome::CheckFailed);
    assert_eq!(told.events_of("check_waiting").len(), 0);
    // Who does not want to wait any more gets what there is.
    let options = checking(&site, time(), Duration::from_hours(1));
    let cancel = options.cancel.clone();
    let stopping = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        cancel.cancel();
    });
    let told = site.build_with(&plan, &options);
    stopping.join().expect("it only sleeps");
    assert_eq!(told.summary.outcome, BuildOutcome::Interrupted);
}
