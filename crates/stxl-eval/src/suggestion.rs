//! "Did you mean": names near to one that does not exist.

/// How many names are suggested.
const SUGGESTIONS_MAX: usize = 3;

/// The names nearest to `wrong`, best first; none when nothing is near. Equal ones keep the order
/// of the candidates.
pub(crate) fn nearest<'n>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'n str>,
) -> Vec<String> {
    // A third of the letters may differ; a swap of two neighbours counts once.
    let distance_max = (wrong.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|name| name.len().abs_diff(wrong.len()) <= distance_max * 4)
        .filter_map(|name| {
            let distance = strsim::osa_distance(wrong, name);
            (distance <= distance_max).then_some((distance, name))
        })
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter()
        .take(SUGGESTIONS_MAX)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// The packages nearest to a label: those of the same name in any stage, then by the whole label.
pub(crate) fn nearest_packages<'n>(
    wrong: &str,
    labels: impl IntoIterator<Item = &'n str> + Clone,
) -> Vec<String> {
    let name_of = |label: &'n str| label.split_once('/').map(|(_, name)| name);
    let same_name = labels.clone().into_iter().filter(|label| {
        let wrong_name = wrong.split_once('/').map(|(_, name)| name);
        wrong_name.is_some() && name_of(label) == wrong_name
    });
    let mut near: Vec<String> = same_name.map(str::to_owned).collect();
    for label in nearest(wrong, labels) {
        if !near.contains(&label) {
            near.push(label);
        }
    }
    near.truncate(SUGGESTIONS_MAX);
    near
}
