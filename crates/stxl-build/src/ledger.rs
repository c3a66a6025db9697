//! What the ledger of the store makes one doubt about a source.
//!
//! A hash that was not changed together with a version gives the old bytes for ever, since they are
//! found by their hash; and bytes that change behind an address are a reason to look at them.

use std::collections::BTreeSet;

use stxl_fetch::without_userinfo;
use stxl_model::{Fetch, PlanNode};
use stxl_store::{LedgerEntry, LedgerOutcome};

/// What should be known about a source before it is used, one sentence each.
pub(crate) fn doubts(ledger: &[LedgerEntry], recipe: &Fetch, node: &PlanNode) -> Vec<String> {
    // A commit names its files; there is nothing to doubt.
    let Some(sha256) = recipe.lock.file() else {
        return Vec::new();
    };
    let urls: BTreeSet<String> = node
        .origin
        .urls
        .iter()
        .map(|url| without_userinfo(url))
        .collect();
    let gave = |entry: &&LedgerEntry| entry.outcome == LedgerOutcome::Verified;
    let gave_this = |entry: &&LedgerEntry| gave(entry) && entry.sha256 == *sha256;
    let of_source = |entry: &&LedgerEntry| urls.contains(&entry.address);
    if ledger
        .iter()
        .filter(gave_this)
        .any(|entry| of_source(&entry))
    {
        return Vec::new();
    }
    let mut others = ledger.iter().rev().filter(gave).filter(of_source);
    let changed = others.next().map(|entry| {
        let LedgerEntry { time, address, sha256, .. } = entry;
        let day = day_of(*time);
        format!("{address} gave {sha256} on {day}, and the hash is another now: its bytes changed although its name did not")
    });
    let stale = ledger.iter().filter(gave_this).rev().find_map(|entry| {
        let sibling = urls.iter().find(|url| {
            **url != entry.address && without_versions(url) == without_versions(&entry.address)
        })?;
        let before = &entry.address;
        Some(format!(
            "{sibling} has the hash of {before}: the version changed and the hash did not, so the old bytes are used"
        ))
    });
    changed.into_iter().chain(stale).collect()
}

/// An address with everything that may be a version left out.
fn without_versions(address: &str) -> String {
    let mut text = String::new();
    let mut is_number = false;
    for letter in address.chars() {
        let goes_on = is_number && matches!(letter, '.' | '_' | '~' | '+' | '-');
        if letter.is_ascii_digit() {
            if !is_number {
                text.push('#');
            }
            is_number = true;
        } else if !goes_on {
            is_number = false;
            text.push(letter);
        }
    }
    text
}

/// A day as people write it, from seconds since 1970.
fn day_of(time: u64) -> String {
    let days = i64::try_from(time / 86_400).unwrap_or(0);
    // Counted in eras of 400 years that begin in March, so that a leap day is the last of a year.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year_of_era + carry;
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::{day_of, without_versions};

    #[test]
    fn versions_are_left_out() {
        let same = [
            (
                "https://a.example/x-1.2.3.tar.gz",
                "https://a.example/x-1.10.tar.gz",
            ),
            (
                "https://a.example/v1.2/x-1.2.tar.gz",
                "https://a.example/v2.0/x-2.0.tar.gz",
            ),
            (
                "pkg:deb/debian/x@1:1.2-1?arch=amd64",
                "pkg:deb/debian/x@2:1-10?arch=amd64",
            ),
        ];
        for (one, other) in same {
            assert_eq!(without_versions(one), without_versions(other));
        }
        assert_ne!(
            without_versions("https://a.example/x-1"),
            without_versions("https://b.example/x-1")
        );
    }

    #[test]
    fn days_are_counted() {
        for (time, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_764_115_200, "2025-11-26"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(day_of(time), day);
        }
    }
}
