//! The difference of two printed functions by id: since ids survive every pass, a value that merely moved is no
//! change, and a value whose operand changed is one edited line.

use std::fmt;

use indexmap::IndexMap;

/// A line of the difference.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Edit {
    /// A line whose id is new.
    Added {
        /// `v31`, `b3` (its terminator or header), `s0`, or `func`.
        id: String,
        /// The line.
        line: String,
    },
    /// A line whose id is gone.
    Removed {
        /// As in [`Edit::Added`].
        id: String,
        /// The line.
        line: String,
    },
    /// A line that says something else under the same id.
    Changed {
        /// As in [`Edit::Added`].
        id: String,
        /// The old line.
        before: String,
        /// The new line.
        after: String,
    },
}

/// `+ v31 = …`, `- v7 = …`, `~ b3   Plain → b4  ⇒  If v32 → b7, b4`.
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = |id: &str| id.split(' ').next().unwrap_or("").to_string();
        match self {
            Edit::Added { line, .. } if line.starts_with("slot ") => write!(f, "+ {line}"),
            Edit::Removed { line, .. } if line.starts_with("slot ") => write!(f, "- {line}"),
            Edit::Added { id, line } if line.starts_with(&bare(id)) => write!(f, "+ {line}"),
            Edit::Added { id, line } => write!(f, "+ {}   {line}", bare(id)),
            Edit::Removed { id, line } if line.starts_with(&bare(id)) => write!(f, "- {line}"),
            Edit::Removed { id, line } => write!(f, "- {}   {line}", bare(id)),
            Edit::Changed { id, before, after } => {
                let id = bare(id);
                let strip = |line: &str| {
                    let rest = line.strip_prefix(&*id).unwrap_or(line);
                    rest.trim_start_matches([' ', '=', ':']).to_string()
                };
                write!(f, "~ {id}   {}  ⇒  {}", strip(before), strip(after))
            }
        }
    }
}

/// The lines of a printed function keyed by what they define: `v7`, `b3` for a header line, `b3 end` for a
/// terminator, `s0`, `func` for everything before the first block. Comments, blank lines and the closing brace
/// are left out; runs of blanks count as one.
fn keyed(text: &str) -> IndexMap<String, String> {
    let mut lines = IndexMap::new();
    let mut block = String::new();
    for raw in text.lines() {
        let line = raw.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() || line.starts_with(';') || line == "}" {
            continue;
        }
        let first: &str = line.split([' ', ':', '=']).next().unwrap_or("");
        let numbered = |prefix: char| {
            first.strip_prefix(prefix).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        let key = if numbered('b') && line[first.len()..].starts_with(':') {
            block = first.to_string();
            block.clone()
        } else if let Some(slot) = line.strip_prefix("slot ") {
            slot.split(':').next().unwrap_or("").to_string()
        } else if numbered('v') || numbered('s') {
            first.to_string()
        } else if block.is_empty() {
            "func".to_string()
        } else {
            format!("{block} end")
        };
        lines.insert(key, line);
    }
    lines
}

/// The edits that lead from one printed function to another: changed and added lines in the order of the new
/// text, then removed ones in the order of the old. A line that only moved within its text is no edit.
/// An empty `before` makes everything added.
pub fn diff(before: &str, after: &str) -> Vec<Edit> {
    let (old, new) = (keyed(before), keyed(after));
    let mut edits = Vec::new();
    for (id, line) in &new {
        match old.get(id) {
            Some(was) if was == line => {}
            Some(was) => {
                edits.push(Edit::Changed { id: id.clone(), before: was.clone(), after: line.clone() });
            }
            None => edits.push(Edit::Added { id: id.clone(), line: line.clone() }),
        }
    }
    let gone = old.iter().filter(|(id, _)| !new.contains_key(*id));
    edits.extend(gone.map(|(id, line)| Edit::Removed { id: id.clone(), line: line.clone() }));
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_id_and_terminators_by_block() {
        let before = "func @f() {\nb0:\n    v1 = Const <u32> [1]\n    v2 = Add <u32> v1, v1\n    Plain → b1\nb1: ← b0\n    Ret\n}\n";
        let after = "func @f() {\nb0:\n    v2 = Add <u32> v3,   v3\n    v3 = Const <u32> [2]\n    If v2 → b1, b1\nb1: ← b0, b0\n    Ret\n}\n";
        let shown: Vec<String> = diff(before, after).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "~ v2   Add <u32> v1, v1  ⇒  Add <u32> v3, v3",
                "+ v3 = Const <u32> [2]",
                "~ b0   Plain → b1  ⇒  If v2 → b1, b1",
                "~ b1   ← b0  ⇒  ← b0, b0",
                "- v1 = Const <u32> [1]",
            ]
        );
    }

    #[test]
    fn slots_are_compared_by_id() {
        let before = "func @f() {\n    slot s0: u16\nb0:\n    Ret\n}\n";
        let after = "func @f() {\n    slot s1: u32\nb0:\n    Ret\n}\n";
        let shown: Vec<String> = diff(before, after).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["+ slot s1: u32", "- slot s0: u16"]);
    }

    #[test]
    fn a_moved_line_is_no_edit() {
        let before = "b0:\n v1 = Const <u32> [1]\n v2 = Const <u32> [2]\n Ret\n";
        let after = "b0:\n v2 = Const <u32> [2]\n v1 = Const <u32> [1]\n Ret\n";
        assert_eq!(diff(before, after), []);
    }
}
