//! A few whole-pipeline goldens: the final IR and the machine stages of the receive path, called and inlined. What
//! they must hold whatever is blessed is asserted beside them.

use std::fmt::Write;

use larrow_backend_bpf::target::{self, Output};
use larrow_backend_bpf::{Stage, TargetOptions};
use larrow_ir::{Module, text};
use larrow_passes::Options;

const EXAMPLE: &str = include_str!("../../../examples/port_filter.ssa");

/// The example at a level, with every stage.
fn compiled(level: u8) -> (Module, Output) {
    let mut module = text::parse("port_filter.ssa", EXAMPLE).expect("the example parses").module;
    let bpf = TargetOptions { stages: true, ..TargetOptions::default() };
    let options = Options { level, verify_each: true, ..Options::default() };
    let output = target::compile(&mut module, &target::pipeline(&bpf), &options, &bpf, None, &mut [])
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    (module, output)
}

/// The stages of a function, by name.
fn stages<'o>(output: &'o Output, func: &str) -> &'o [Stage] {
    let func = output.compiled.funcs.iter().find(|f| &*f.name == func);
    &func.unwrap_or_else(|| panic!("the object has it")).stages
}

fn stage<'o>(output: &'o Output, func: &str, name: &str) -> &'o str {
    let found = stages(output, func).iter().find(|s| s.name == name);
    &found.unwrap_or_else(|| panic!("{func} has the stage {name}")).text
}

/// The final IR, then each machine stage of each function.
fn everything(module: &Module, output: &Output) -> String {
    let mut out = text::print(module);
    for func in &output.compiled.funcs {
        for stage in &func.stages {
            write!(out, "\n── @{} · {} ──\n{}", func.name, stage.name, stage.text).expect("strings grow");
        }
    }
    out
}

#[test]
fn the_receive_path_called_and_inlined() {
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        omit_expression => true,
        snapshot_path => "../snapshots/golden",
    }, {
        for level in [0, 4] {
            let (module, output) = compiled(level);
            insta::assert_snapshot!(format!("port_filter-l{level}"), everything(&module, &output));
        }
    });
}

/// The last assignments to R1 and R2 before each look-up: the map, and the address of the key.
#[test]
fn a_lookup_takes_its_map_in_r1_and_its_key_in_r2() {
    for level in [0, 4] {
        let (_, output) = compiled(level);
        let mut maps = Vec::new();
        let (mut r1, mut r2) = (String::new(), String::new());
        for line in stage(&output, "filter", "assign-registers").lines().map(str::trim) {
            if let Some(what) = line.strip_prefix("r1 = ") {
                r1 = what.to_string();
            } else if let Some(what) = line.strip_prefix("r2 = ") {
                r2 = what.to_string();
            } else if line.contains("call map_lookup_elem") {
                assert!(line.contains("(r1, r2)"), "{line}");
                assert!(r2.starts_with("address of s"), "-l={level}: R2 = {r2}");
                maps.push(r1.clone());
            }
        }
        assert_eq!(maps, ["map @ports", "map @__sites"], "-l={level}");
    }
}

#[test]
fn the_call_is_gone_where_it_is_inlined() {
    let (_, called) = compiled(0);
    assert!(stage(&called, "filter", "select").contains("call @runtime.chanrecv2.u16.8"));
    let (module, inlined) = compiled(4);
    assert_eq!(inlined.compiled.funcs.len(), 1, "no runtime function is left");
    // The difference of the two tickets is Go's qcount; the ticket is taken by compare-and-swap in the caller.
    let code = stage(&inlined, "filter", "peephole");
    assert!(code.contains("cmpxchg"), "{code}");
    assert_eq!(module.funcs.count(), 1);
}
