//! Names that may have been meant.

/// How alike two names have to be, from 0 to 1.
const ALIKE_MIN: f64 = 0.75;

/// The candidate that is most like a name, if any is like it at all.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        if candidate == name {
            continue;
        }
        let alike = strsim::jaro_winkler(name, candidate);
        if alike >= ALIKE_MIN && best.is_none_or(|(before, _)| alike > before) {
            best = Some((alike, candidate));
        }
    }
    best.filter(|(_, candidate)| is_typo(name, candidate))
        .map(|(_, candidate)| candidate)
}

/// Whether one is the other with a few slips; alike beginnings alone are no reason to ask.
fn is_typo(name: &str, candidate: &str) -> bool {
    let slips = strsim::damerau_levenshtein(name, candidate);
    let length = name.chars().count().max(candidate.chars().count());
    slips <= 1 + length / 5
}
