//! Everything against everything: the programs that once came out wrong, and generated ones, in the interpreter
//! after each pass and in the kernel. A difference prints as a runnable `.ssa` file.
#![expect(clippy::print_stderr, reason = "how much was compared is a result of its own")]

use std::path::Path;

use larrow::engine::{Inputs, SelectOrder, kernel_version};
use larrow_backend_bpf::bind::BindMode;
use larrow_backend_bpf::isa::Isa;
use larrow_ir::generate::Coverage;
use larrow_ir::{Module, text, verify};
use larrow_tests::differential::{Compared, LEVELS, Setting, check_seed, compare, generated};

use crate::gate::kernel_or_skip;

/// How many generated programs a run compares, and the variable that says otherwise.
const PROGRAMS: u64 = 40;
const VARIABLE: &str = "LARROW_PROGRAMS";

/// The only program of a module.
pub(crate) fn entry(module: &Module) -> &str {
    let mut programs = module.funcs.iter().filter(|(_, f)| f.section.is_some());
    let (_, func) = programs.next().expect("there is a program");
    assert!(programs.next().is_none(), "one program a file");
    &func.name
}

/// Compares a program at every level and every instruction set that has its atomics. What differed, as text.
pub(crate) fn everywhere(
    module: &Module,
    inputs: &Inputs,
    kernel: bool,
    total: &mut Compared,
    failed: &mut Vec<String>,
) {
    for level in LEVELS {
        for isa in Isa::ALL {
            let bind = if isa == Isa::V2 { BindMode::Direct } else { BindMode::Lookup };
            let setting = Setting { level, isa, bind, shuffle: 7 };
            match compare(module, entry(module), inputs, setting, kernel) {
                Ok(compared) => {
                    total.stages += compared.stages;
                    total.refused += compared.refused;
                    total.kernel |= compared.kernel;
                }
                Err(mismatch) => failed.push(mismatch.to_string()),
            }
        }
    }
}

#[test]
fn what_once_came_out_wrong_comes_out_right() {
    let kernel = kernel_or_skip("what_once_came_out_wrong_comes_out_right");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/regress");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut failed = Vec::new();
    let mut total = Compared::default();
    for path in &paths {
        let source = std::fs::read_to_string(path).unwrap();
        let name = path.display().to_string();
        let module = text::parse(&name, &source).unwrap_or_else(|e| panic!("{name}: {e:#?}")).module;
        verify(&module).unwrap_or_else(|e| panic!("{name}: {e:#?}"));
        let inputs = Inputs { select_order: SelectOrder::Source, repeat: 2, ..Inputs::default() };
        everywhere(&module, &inputs, kernel, &mut total, &mut failed);
    }
    eprintln!("{} programs, {} stages, kernel {}", paths.len(), total.stages, total.kernel);
    assert!(failed.is_empty(), "{} differences\n{}", failed.len(), failed.join("\n\n"));
    assert!(total.stages > 0 && total.kernel == kernel);
}

#[test]
fn generated_programs_mean_the_same_everywhere() {
    let kernel = kernel_version().is_ok();
    let _ = kernel_or_skip("generated_programs_mean_the_same_everywhere, its part on the kernel");
    let count = std::env::var(VARIABLE).ok().and_then(|n| n.parse().ok()).unwrap_or(PROGRAMS);
    let mut coverage = Coverage::default();
    let (mut stages, mut refused, mut on_kernel) = (0, 0, 0);
    let mut failed = Vec::new();
    for seed in 0..count {
        coverage.add(&generated(seed).0);
        match check_seed(seed, kernel) {
            Ok(compared) => {
                stages += u64::from(compared.stages);
                refused += compared.refused;
                on_kernel += u64::from(compared.kernel);
            }
            Err(mismatch) => failed.push(mismatch.to_string()),
        }
    }
    eprintln!(
        "{count} programs, {stages} stages, {on_kernel} on the kernel, {refused} refused for stack or paths"
    );
    eprintln!("{coverage}");
    assert!(failed.is_empty(), "{} differences\n{}", failed.len(), failed.join("\n\n"));
    assert!(stages > count, "nothing was compared");
    assert_eq!(on_kernel, if kernel { count } else { 0 });
}
