//! The cases by theme, and what several of them use.

mod archives;
mod checks;
mod failures;
mod incremental;
mod jobs;
mod outside;
mod records;
mod repositories;
mod scratch;
mod sources;
mod steps;
mod trees;

use stxl_model::DerivationId;

use crate::build::recipe::Recipe;
use crate::build::site::{Site, Told};
use crate::build::unpack;

/// A case by name, a function over a world of its own.
pub(crate) type Case = (&'static str, fn());

/// Every case.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        archives::CASES,
        checks::CASES,
        failures::CASES,
        incremental::CASES,
        jobs::CASES,
        outside::CASES,
        records::CASES,
        repositories::CASES,
        scratch::CASES,
        sources::CASES,
        steps::CASES,
        trees::CASES,
        unpack::CASES,
    ]
    .into_iter()
    .flatten()
}

fn expect(told: &Told, counts: [usize; 6]) {
    assert_eq!(
        told.counts(),
        counts,
        "ran, cached, cut off, skipped, failed, total\n{:#?}",
        told.events
    );
}

/// A chain of steps; the first reads `version.txt`, each concatenates what the one before gave.
fn chain(site: &Site, length: usize, version: &str) -> (stxl_model::Plan, Vec<DerivationId>) {
    let mut recipe = site.recipe();
    let source = recipe.text("version.txt", version);
    let mut ids: Vec<DerivationId> = Vec::new();
    for index in 0..length {
        let input = ids.last().copied().unwrap_or(source);
        // The first step keeps the first byte only, so that what follows it can be equal.
        let command = if index == 0 {
            "head /out/file /in/0/file"
        } else {
            "cat /out/file /in/0/file /in/0/file"
        };
        ids.push(recipe.step(&format!("test/step-{index}"), &[input], &[command]));
    }
    recipe.want("test/last", ids[length - 1]);
    (recipe.plan, ids)
}

/// Fails unless every invariant of the store holds for whoever opens it next. Who has it open
/// while another one is killed does not see what that one wrote last until it publishes itself.
pub(crate) fn assert_sound(site: &Site) {
    let opened = stxl_store::Store::open(&site.store_path(), stxl_store::OpenOptions::default());
    let report = opened
        .expect("the store opens")
        .fsck()
        .expect("the store can be checked");
    assert!(report.breaches.is_empty(), "{:#?}", report.breaches);
}

/// Two steps, the second over the first.
fn two_steps(site: &Site, first: &str) -> (Recipe, [DerivationId; 2]) {
    let mut recipe = site.recipe();
    let one = recipe.step("test/one", &[], &[first]);
    let two = recipe.step(
        "test/two",
        &[one],
        &["cat /out/twice /in/0/file /in/0/file", "say done"],
    );
    recipe.want("test/two", two);
    (recipe, [one, two])
}
