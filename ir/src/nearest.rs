//! The nearest name to one that nobody knows: for "did you mean" in errors about ops, passes, options.

/// Longer names get no suggestion, so that noise costs no time.
const LONGEST: usize = 64;

/// The edit distance of two texts in characters: insertions, deletions, substitutions and swaps of neighbours
/// count one each (Damerau's distance in its "optimal string alignment" form).
pub fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i);
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// The candidate nearest to `name`, upper and lower case apart, if it is near enough to be meant: within a third
/// of the name's length, and at least one edit. Of equally near ones the first.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > LONGEST {
        return None;
    }
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|c| c.len() <= LONGEST)
        .map(|c| (edit_distance(&wanted, &c.to_lowercase()), c))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits_and_swaps() {
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("Laod", "Load"), 1);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let names = ["Load", "Store", "ChanRecv"];
        assert_eq!(nearest("load", names), Some("Load"));
        assert_eq!(nearest("ChanRevc", names), Some("ChanRecv"));
        assert_eq!(nearest("Multiply", names), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), names), None);
    }
}
