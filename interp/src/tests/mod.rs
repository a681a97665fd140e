//! Programs built by hand, and what they mean.

mod channels;
mod memory;
mod numbers;
mod ops;
mod speed;

use larrow_ir::{FuncBuilder, Function, Module, Type, Value};

use crate::*;

/// A module with a function `f` of the given result and parameters.
fn module(result: Type, params: &[Type], build: impl FnOnce(&mut FuncBuilder<'_>, &[Value])) -> Module {
    let mut module = Module::new("t.go");
    add(&mut module, "f", result, params, build);
    module
}

/// Adds a function to a module.
fn add(
    module: &mut Module,
    name: &str,
    result: Type,
    params: &[Type],
    build: impl FnOnce(&mut FuncBuilder<'_>, &[Value]),
) -> larrow_ir::FuncId {
    let mut func = Function::new(name, result);
    let params: Vec<_> = params.iter().map(|&ty| func.add_param(ty)).collect();
    let mut b = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = b.block();
    b.switch_to(entry);
    b.at_line(3, 7);
    build(&mut b, &params);
    module.add_func(func).expect("a fresh name")
}

fn interp(module: &Module) -> Interp<'_> {
    Interp::new(module, Options::default()).expect("a module that can be run")
}

/// The scalars that `f` returns.
fn returned(module: &Module, args: &[Val]) -> Vec<Val> {
    match interp(module).run("f", args).expect("no trap").outcome {
        Outcome::Returned(vals) => vals.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn number(module: &Module, args: &[u64]) -> u64 {
    let args: Vec<_> = args.iter().map(|&a| Val::Int(a)).collect();
    returned(module, &args)[0].as_int().expect("a number")
}

fn trap(module: &Module) -> Trap {
    interp(module).run("f", &[]).expect_err("a trap")
}

fn panic_text(module: &Module) -> String {
    match interp(module).run("f", &[]).expect("no trap").outcome {
        Outcome::Panicked { text, pos, .. } => {
            assert_eq!(pos, larrow_ir::Pos::At { line: 3, col: 7 });
            text
        }
        other => panic!("{other:?}"),
    }
}
