//! A case per drawing of what a pass does: `tests/cases/<pass>/*.ssa`, each through that pass alone. The diff
//! is a snapshot; the checks and the runs, before and after, are what blessing cannot touch.

use std::path::Path;

use larrow_ir::{Module, text};
use similar::{ChangeTag, TextDiff};

use crate::case::{Case, verified};
use crate::registry::run_alone;
use crate::world::World;

/// Every line, those that go and come marked; `(no change)` if none does.
fn diff(before: &str, after: &str) -> String {
    if before == after {
        return "(no change)".to_string();
    }
    let mut out = String::new();
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        out.push_str(match change.tag() {
            ChangeTag::Delete => "- ",
            ChangeTag::Insert => "+ ",
            ChangeTag::Equal => "  ",
        });
        out.push_str(change.value());
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Runs a case through a pass: every check there is, and the diff for the snapshot.
fn run_case(pass: &str, path: &Path) -> String {
    let case = Case::read(path);
    assert!(!case.checks.is_empty(), "{pass}/{} checks nothing", case.name);
    let after = through(pass, &case, None);
    let printed = text::print(&after);
    case.check(&printed);
    run_both(&format!("{pass}/{}", case.name), &case, &case.module, &after);
    for seed in 0..4 {
        let shuffled = through(pass, &case, Some(seed));
        run_both(&format!("{pass}/{} shuffled by {seed}", case.name), &case, &case.module, &shuffled);
    }
    diff(&text::print(&case.module), &printed)
}

/// The module behind the pass, verified.
fn through(pass: &str, case: &Case, seed: Option<u64>) -> Module {
    let mut module = case.module.clone();
    if let Err(failure) = run_alone(pass, &case.options, seed, &mut module) {
        panic!("{pass}/{}: {failure}\n{:#?}\n{}", case.name, failure.diagnostics(), text::print(&module));
    }
    verified(&format!("{pass}/{} behind the pass", case.name), &module);
    module
}

/// Runs every `RUN` line before and after.
fn run_both(name: &str, case: &Case, before: &Module, after: &Module) {
    for run in &case.runs {
        let was = World::new(before, 5).run(run);
        let mut is = World::new(after, 5).run(run);
        assert_eq!(was.result, run.result, "{name}:{} before the pass", run.line);
        // Binding turns what cannot wait, or panics, into the one way that a BPF program can end early.
        if is.result != was.result && ends_early(&was.result) && ends_early(&is.result) {
            is.result.clone_from(&was.result);
        }
        assert_eq!((&was.result, &was.channels), (&is.result, &is.channels), "{name}:{}", run.line);
        for (chan, elems) in &run.left {
            let size = World::new(before, 5).elem_size(chan);
            let want: Vec<Vec<u8>> = elems.iter().map(|e| e.bytes(size)).collect();
            assert_eq!(is.channels[chan].0, want, "{name}:{}: what is left in @{chan}", run.line);
        }
    }
}

/// Whether a result is a panic or an abort.
pub(crate) fn ends_early(result: &str) -> bool {
    result == "abort" || result.starts_with("panic")
}

/// The cases of one pass.
macro_rules! pass_cases {
    ($($test:ident $pass:literal;)*) => {
        $(#[test]
        fn $test() {
            insta::with_settings!({
                prepend_module_to_snapshot => false,
                omit_expression => true,
                snapshot_path => concat!("../snapshots/", $pass),
            }, {
                insta::glob!("../../cases", concat!($pass, "/*.ssa"), |path| {
                    insta::assert_snapshot!("diff", run_case($pass, path));
                });
            });
        })*

        /// The folders that belong to passes.
        const PASSES: &[&str] = &[$($pass),*];
    };
}

pass_cases! {
    bind_channels "bind-channels";
    check_lowered "check-lowered";
    copyelim "copyelim";
    count_aborts "count-aborts";
    critical "critical";
    cse "cse";
    deadcode "deadcode";
    fuse "fuse";
    inline "inline";
    insert_map_lookup "insert-map-lookup";
    lower_chan_close "lower-chan-close";
    lower_chan_len_cap "lower-chan-len-cap";
    lower_chan_recv "lower-chan-recv";
    lower_chan_send "lower-chan-send";
    lower_go "lower-go";
    lower_make_chan "lower-make-chan";
    lower_select "lower-select";
    mem2reg "mem2reg";
    opt "opt";
    phielim "phielim";
    shortcircuit "shortcircuit";
    trim "trim";
    unused_functions "unused-functions";
}

#[test]
fn every_pass_has_three_cases_and_every_folder_a_pass() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = |dir: &Path| std::fs::read_dir(dir).map_or(0, |files| files.count());
    for pass in PASSES {
        assert!(files(&cases.join(pass)) >= 3, "{pass} has fewer than three cases");
    }
    for folder in std::fs::read_dir(&cases).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        let folders = ["errors", "regress", "ring", "run"];
        let known = PASSES.contains(&name.as_str()) || folders.contains(&name.as_str());
        assert!(known, "no test runs tests/cases/{name}");
    }
}
