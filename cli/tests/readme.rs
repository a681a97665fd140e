//! The README's transcripts are what the command prints.
//!
//! In a `console` block each `$ larrow …` line is run from the repository's root, and what follows it is its standard
//! output, or its standard error if it fails. `UPDATE_README=1` writes what it prints now.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use larrow as _;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a command line prints.
fn transcript(line: &str) -> String {
    let args = line.strip_prefix("$ larrow ").unwrap_or_else(|| panic!("`{line}` is no larrow command"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_larrow"));
    command.args(args.split(' ')).current_dir(root()).stdin(Stdio::null());
    let done = command.env_remove("CLICOLOR_FORCE").output().expect("the command starts");
    let shown = if done.status.success() { done.stdout } else { done.stderr };
    String::from_utf8(shown).expect("text")
}

/// The page with its transcripts made anew.
fn renewed(page: &str) -> String {
    let mut out = String::new();
    let mut in_console = false;
    for line in page.lines() {
        if line == "```console" {
            in_console = true;
        } else if line == "```" {
            in_console = false;
        }
        let keep = !in_console || line == "```console" || line.starts_with("$ ");
        if keep {
            out.push_str(line);
            out.push('\n');
        }
        if in_console && line.starts_with("$ ") {
            out.push_str(&transcript(line));
        }
    }
    out
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let path = root().join("README.md");
    let page = fs::read_to_string(&path).expect("the README is there");
    assert!(page.contains("\n```console\n"), "there are no transcripts");
    let renewed = renewed(&page);
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &renewed).expect("the README can be written");
        return;
    }
    if let Some((is, shown)) = renewed.lines().zip(page.lines()).find(|(is, shown)| is != shown) {
        panic!(
            "the README shows\n  {shown}\nbut the command prints\n  {is}\nUPDATE_README=1 writes the transcripts anew"
        );
    }
    assert_eq!(renewed.lines().count(), page.lines().count(), "a transcript ends elsewhere");
}
