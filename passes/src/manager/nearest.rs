//! The nearest of some names to a misspelt one.

/// The candidate with the least edit distance to `name`, if it is near enough to be meant: within a third of
/// the length, and at least one edit.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .map(|c| (distance(name, c), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Levenshtein distance in characters, a row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let best = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let names = ["deadcode", "lower-select", "mem2reg"];
        assert_eq!(nearest("deadcod", names.into_iter()), Some("deadcode"));
        assert_eq!(nearest("lower_selct", names.into_iter()), Some("lower-select"));
        assert_eq!(nearest("regalloc", names.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
