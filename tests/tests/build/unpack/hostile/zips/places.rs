//! zip archives whose parts are not where they have to be.

use super::{Case, entry};
use crate::build::unpack::forge::tar::tar;
use crate::build::unpack::forge::zip::{End, Entry, file, zip, zip_with};

/// The archives.
pub(super) fn cases() -> Vec<Case> {
    [places(), tails(), ends()].concat()
}

fn places() -> Vec<Case> {
    let place = "does not begin where the entry before it ends";
    let offset = |offset: u32, name: &str| Entry {
        offset: Some(offset),
        ..file(name, "content")
    };
    let whole = zip(&[file("a", "content")]);
    let first = zip(&[file("a", "one"), offset(0, "b"), file("c", "")]);
    vec![
        (
            "zip-in-front",
            [b"#!/bin/sh\n".as_slice(), &whole].concat(),
            "something stands in front of the archive",
        ),
        (
            "zip-shared",
            first,
            "`a` in the archive overlaps what follows it",
        ),
        ("zip-order", zip(&[offset(38, "a"), offset(0, "b")]), place),
        ("zip-gap", zip(&[offset(1, "a")]), place),
        (
            "zip-nested",
            {
                let mut outer = entry(b"a");
                outer.content = zip(&[file("b", "inner")]);
                zip(&[outer.both(|header| header.size = 7), offset(31, "b")])
            },
            "overlaps what follows it",
        ),
        (
            "zip-gap-at-the-end",
            {
                let mut entry = file("a", "content");
                entry.descriptor = b"something".to_vec();
                zip(&[entry])
            },
            "has bytes behind its content",
        ),
        (
            "zip-only-a-gap",
            [
                b"something".as_slice(),
                &zip_with(
                    &[],
                    &End {
                        offset_error: 9,
                        ..End::default()
                    },
                ),
            ]
            .concat(),
            "something stands between its contents and its directory",
        ),
    ]
}

/// Two files, with an end as wrong as the caller wants it.
fn with(end: &End) -> Vec<u8> {
    zip_with(&[file("a", "content"), file("b", "")], end)
}

fn tails() -> Vec<Case> {
    let whole = with(&End::default());
    let comment = "its comment does not end where the archive ends";
    let cut = whole.len() - 30;
    let commented = with(&End {
        comment: b"comment".to_vec(),
        ..End::default()
    });
    vec![
        (
            "zip-nothing",
            Vec::new(),
            "it has no end of a zip directory",
        ),
        (
            "zip-text",
            b"This is no archive at all".to_vec(),
            "it has no end of a zip directory",
        ),
        (
            "zip-cut",
            whole[..cut].to_vec(),
            "it has no end of a zip directory",
        ),
        ("zip-tail", [whole.as_slice(), b"tail"].concat(), comment),
        (
            "zip-comment-cut",
            commented[..whole.len() + 3].to_vec(),
            comment,
        ),
        (
            "zip-two-archives",
            [whole.as_slice(), &whole].concat(),
            "its directory is not where it has to be",
        ),
        ("zip-tar", tar(&[]), "it has no end of a zip directory"),
    ]
}

/// What is wrong with an end.
type Wrong<'a> = &'a dyn Fn(&mut End);

fn ends() -> Vec<Case> {
    let place = "its directory is not where it has to be";
    let comment = "its comment does not end where the archive ends";
    let damaged = "the end of its directory is damaged";
    let locator = |offset: u64| {
        let mut before = b"PK\x06\x07\0\0\0\0".to_vec();
        before.extend(offset.to_le_bytes());
        before.extend(1_u32.to_le_bytes());
        before
    };
    let inner = zip(&[]);
    let further = [inner.as_slice(), b"x"].concat();
    let signature = b"signature".to_vec();
    let cases: [(&str, Wrong<'_>, &str); 10] = [
        ("zip-smuggled", &|end| end.comment.clone_from(&inner), place),
        (
            "zip-smuggled-further",
            &|end| end.comment.clone_from(&further),
            comment,
        ),
        (
            "zip-one-more",
            &|end| end.count_error = 1,
            "its directory has less than it says",
        ),
        (
            "zip-one-less",
            &|end| end.count_error = u16::MAX,
            "its directory has more than it says",
        ),
        ("zip-offset", &|end| end.offset_error = 1, place),
        ("zip-size", &|end| end.size_error = 1, place),
        (
            "zip-of-several",
            &|end| end.disk = 1,
            "or it is a part of several",
        ),
        (
            "zip-between",
            &|end| end.before.clone_from(&signature),
            place,
        ),
        ("zip-locator-lost", &|end| end.before = locator(0), damaged),
        (
            "zip-locator-far",
            &|end| end.before = locator(u64::MAX),
            damaged,
        ),
    ];
    let make = |(name, change, expected): (&'static str, Wrong<'_>, &'static str)| {
        let mut end = End::default();
        change(&mut end);
        (name, with(&end), expected)
    };
    cases.into_iter().map(make).collect()
}
