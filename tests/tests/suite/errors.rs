//! Inputs that cannot be taken, `tests/cases/errors/*.ssa`: through lowering and binding, every error and no
//! other, each at its place.

use larrow_ir::{Decls, Diagnostic, Severity};

use crate::case::Case;
use crate::registry::{lowered_and_bound, pipeline_options};

/// Where in the source an error is: `8:14`.
fn place(decls: &Decls, error: &Diagnostic) -> Option<String> {
    decls.locate(error.pos).map(|(_, line, col)| format!("{line}:{col}"))
}

#[test]
fn bad_input_is_reported_completely() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/errors");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "{} cases", paths.len());
    let mut failed = Vec::new();
    for path in paths {
        if std::panic::catch_unwind(|| check_errors(&Case::read(&path))).is_err() {
            failed.push(path);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn check_errors(case: &Case) {
    assert!(!case.errors.is_empty(), "{} expects no error", case.name);
    let mut module = case.module.clone();
    let pipeline = lowered_and_bound(&case.options);
    let result = pipeline.run(&mut module, &pipeline_options(&case.options, 11), &mut []);
    let Err(failure) = result else { panic!("{} is taken", case.name) };
    let mut found: Vec<(Option<String>, &Diagnostic)> = failure
        .diagnostics()
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| (place(&module.decls, d), d))
        .collect();
    for want in &case.errors {
        let at = found.iter().position(|(place, d)| *place == want.place && d.message.contains(&want.text));
        let Some(at) = at else { panic!("{}: expected {want:?}, found {found:#?}", case.name) };
        let (_, error) = found.remove(at);
        assert!(!error.help.is_empty(), "{}: no way out of {}", case.name, error.message);
        assert!(error.entity.is_some(), "{}: {} is about nothing", case.name, error.message);
    }
    assert!(found.is_empty(), "{}: unexpected {found:#?}", case.name);
}
