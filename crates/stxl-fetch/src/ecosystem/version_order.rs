//! Which of two versions is the newer one, as far as their text tells in every ecosystem.

use std::cmp::Ordering;

/// A part of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// What comes before a release, such as `rc` or `alpha`.
    Early(&'a str),
    /// Nothing more.
    End,
    /// A number, by its length and digits, without zeros in front.
    Number(usize, &'a str),
    /// What comes after a release.
    Late,
}

/// Compares two versions: numbers by their value, words before the end, `post` after it. What
/// stands behind `+` does not count.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (parts(one), parts(other));
    loop {
        let (left, right) = (one.next(), other.next());
        if left.is_none() && right.is_none() {
            return Ordering::Equal;
        }
        let left_part = left.unwrap_or_else(|| end_against(right));
        let right_part = right.unwrap_or_else(|| end_against(left));
        match left_part.cmp(&right_part) {
            Ordering::Equal => {}
            different => return different,
        }
    }
}

/// The end of a version against a part of another: `1` and `1.0` are the same.
fn end_against(part: Option<Part<'_>>) -> Part<'_> {
    match part {
        Some(Part::Number(..)) => Part::Number(0, ""),
        Some(Part::Early(_) | Part::End | Part::Late) | None => Part::End,
    }
}

fn parts(version: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = version.split('+').next().unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let is_number = rest.chars().next()?.is_ascii_digit();
        let ends =
            |letter: char| !letter.is_ascii_alphanumeric() || letter.is_ascii_digit() != is_number;
        let (part, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        rest = after;
        Some(if is_number {
            let digits = part.trim_start_matches('0');
            Part::Number(digits.len(), digits)
        } else if part == "post" {
            Part::Late
        } else {
            Part::Early(part)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::compare;

    #[test]
    fn versions_are_in_order() {
        let sorted = [
            "0.9",
            "0.10.0",
            "1.0.0-alpha.1",
            "1.0.0-alpha.2",
            "1.0.0-beta",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.0.1.post1",
            "1.1rc1",
            "1.1",
            "2.0a1",
            "2.0",
            "10.0",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        for (one, other) in [("1", "1.0.0"), ("1.0+x", "1.0"), ("1.01", "1.1")] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
    }
}
