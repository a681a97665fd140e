use larrow_ir::{text, verify};
use larrow_passes::{Options, Pass, Pipeline};

use super::*;

/// The standard lowering with binding behind it, verified after every pass.
fn bound(source: &str, bind: BindChannels) -> Result<Module, Vec<Diagnostic>> {
    let mut module = text::parse("test.ssa", source).expect("parses").module;
    verify::verify(&module).expect("valid");
    let mut pipeline = Pipeline::default();
    pipeline.extend(larrow_passes::lowering());
    pipeline.push(Pass::module("bind-channels", "", bind));
    pipeline.push(Pass::function("count-aborts", "", CountAborts));
    match pipeline.run(&mut module, &Options::checked(0, 1), &mut []) {
        Ok(_) => Ok(module),
        Err(failure) => Err(failure.diagnostics().to_vec()),
    }
}

#[test]
fn scratch() {
    let m = bound(include_str!("../../../examples/port_filter.ssa"), BindChannels::default());
    match m {
        Ok(m) => eprintln!("{}", text::print(&m)),
        Err(e) => panic!("{e:#?}"),
    }
}
