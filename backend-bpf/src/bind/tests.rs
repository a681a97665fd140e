use larrow_ir::{text, verify};
use larrow_passes::Options;

use crate::{TargetOptions, target};

#[test]
fn a_program_that_receives_is_bound_and_compiled() {
    let source = include_str!("../../../examples/port_filter.ssa");
    let mut module = text::parse("port_filter.ssa", source).expect("parses").module;
    verify(&module).expect("valid");
    let target = TargetOptions::default();
    let pipeline = target::pipeline(&target);
    let out = target::compile(&mut module, &pipeline, &Options::checked(0, 1), &target, None, &mut [])
        .unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(module.funcs.iter().all(|(_, f)| super::is_bound(f, &module.decls)));
    let names: Vec<&str> = out.compiled.funcs.iter().map(|f| &*f.name).collect();
    assert_eq!(names, ["filter", "runtime.chanrecv2.u16.8"]);
    // The names of the counted sites ship with the object.
    let object = crate::object::read(&out.bytes).expect("the object reads back");
    let table = object.custom.iter().find(|s| s.name == crate::SITES_SECTION).expect("a table of sites");
    assert_eq!(table.bytes, b"0\trecv\trecv@port_filter.go:8:14\tports\n");
}
