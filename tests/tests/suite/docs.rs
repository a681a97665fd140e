//! The documents: what they cite exists, and the commands they name are those that the checks run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README.md and the pages under docs/, by path from the root.
fn pages() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_string(), "tests/README.md".to_string()];
    for entry in fs::read_dir(root().join("docs")).expect("docs/ is there") {
        let name = entry.expect("it can be listed").file_name().into_string().expect("plain names");
        if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    let read = |name: String| {
        let text = fs::read_to_string(root().join(&name)).expect("it is there");
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// The backticked words of a page outside its code blocks.
fn quoted(page: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// The folders and files of the root that a cited path may start with.
const ROOTS: [&str; 12] = [
    ".ci/",
    "backend-bpf/",
    "bench/",
    "cli/",
    "docs/",
    "examples/",
    "interp/",
    "ir/",
    "maps/",
    "passes/",
    "tests/",
    "frontend-go/",
];

/// Whether a quoted word is meant as a path of the repository; prose also quotes commands and types.
fn is_path(word: &str) -> bool {
    let plain = !word.contains([' ', '<', '*', '$', '…']);
    let rooted = ROOTS.iter().any(|root| word.starts_with(root));
    let file =
        !word.contains('/') && (word.starts_with("LICENSE-") || word == "Cargo.toml" || word == "README.md");
    plain && (rooted || file)
}

#[test]
fn every_cited_path_exists() {
    let mut cited = 0;
    for (name, page) in pages() {
        let folder = root().join(&name).parent().expect("it is in a folder").to_path_buf();
        for path in quoted(&page).into_iter().filter(|word| is_path(word)) {
            // A page inside a crate may count from there.
            let exists = root().join(path).exists() || folder.join(path).exists();
            assert!(exists, "{name} cites `{path}`, which does not exist");
            cited += 1;
        }
    }
    assert!(cited > 20, "only {cited} paths were found");
}

#[test]
fn every_linked_page_exists() {
    for (name, page) in pages() {
        let folder = root().join(&name).parent().expect("it is in a folder").to_path_buf();
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or(link);
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(folder.join(target).exists(), "{name} links to {target}, which does not exist");
        }
    }
}

/// The lines of the README's first `sh` block.
fn commands(readme: &str) -> Vec<&str> {
    let (_, block) = readme.split_once("\n```sh\n").expect("there is an sh block");
    block.split_once("\n```").expect("it is closed").0.lines().collect()
}

#[test]
fn the_checks_run_the_two_commands_of_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).expect("it is there");
    let commands = commands(&readme);
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(commands[0].starts_with("cargo run "), "{}", commands[0]);
    assert_eq!(commands[1], "cargo test --workspace");

    let script = fs::read_to_string(root().join(".ci/run")).expect("it is there");
    let filter =
        script.split("< <(").nth(1).and_then(|s| s.split(" README.md)").next()).expect("it reads the README");
    let program = filter.strip_prefix("awk '").and_then(|s| s.strip_suffix('\'')).expect("with awk");
    let read = Command::new("awk").arg(program).arg(root().join("README.md")).output().expect("awk runs");
    assert_eq!(String::from_utf8_lossy(&read.stdout).lines().collect::<Vec<_>>(), commands);
    for run in ["bash -c \"$tests\"", "bash -c \"$main_job\""] {
        assert!(script.contains(run), "{run}");
    }
}
