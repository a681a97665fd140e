use std::cell::Cell;

use larrow_ir::text::parse;
use larrow_ir::{Aux, Decls, Diagnostic, Function, Inst, Module, Op, Value};

use super::*;
use crate::generic::deadcode::deadcode;
use crate::generic::opt::opt;
use crate::manager::{
    Changed, Facts, Failure, HookPoint, Options, Pass, PassCx, PassResult, Pipeline, Rewriter, Timings,
};

fn module() -> Module {
    let text = "file \"t.go\"\n\nfunc @f(v0: u32) -> u32 {\nb0:\n    v1 = Const <u32> [2]\n    v2 = Const <u32> [3]\n    v3 = Add <u32> v1, v2\n    v4 = Add <u32> v0, v3\n    Ret v4\n}\n\nfunc @g() {\nb0:\n    Ret\n}\n";
    parse("t.ssa", text).map(|parsed| parsed.module).unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn a_trace_holds_the_first_text_and_what_changed() {
    let mut m = module();
    let mut trace = Trace::new("larrow 0", &["inspect".to_string()], 2, "abc");
    let mut times = Timings::default();
    let pipeline = Pipeline::new([opt(), deadcode()]);
    let options = Options { verify_each: true, ..Options::default() };
    pipeline.run(&mut m, &options, &mut [&mut trace, &mut times]).unwrap();
    assert_eq!(trace.header.pipeline, "opt deadcode");
    assert_eq!(trace.header.file, "t.go");
    assert_eq!(trace.initial.len(), 2);
    let changed: Vec<(&str, &str)> =
        trace.steps.iter().filter(|s| s.changed()).map(|s| (&*s.pass, s.func.as_deref().unwrap())).collect();
    assert_eq!(changed, [("opt", "f"), ("deadcode", "f")]);
    let opt = &trace.steps[0];
    assert_eq!(opt.counters["fold"], 1);
    assert_eq!((opt.values.added, opt.values.removed, opt.values.edited), (0, 0, 1));
    let dead = trace.steps.iter().position(|s| s.pass == "deadcode").unwrap();
    assert_eq!(trace.steps[dead].values.removed, 2);
    assert!(trace.before(dead).unwrap().contains("v1 = Const"));
    assert!(!trace.after(dead).unwrap().contains("v1 = Const"));
    assert_eq!(times.passes.len(), 2);
    trace.push_stage("isel", "f", "r0 = r1\n".to_string(), Duration::ZERO);
    assert!(trace.steps.last().unwrap().machine);
    assert_eq!(trace.steps.last().unwrap().index, 2);
}

fn lie(name: &'static str, body: fn(&mut Function, &mut Decls, &mut PassCx<'_>) -> PassResult) -> Pass {
    Pass::function(name, "does wrong", body)
}

#[test]
fn verification_names_the_pass_that_broke_something() {
    let breaks = lie("breaks", |func, _, _| {
        let v = Value::from_u32(4);
        if func.num_values() > 4 {
            func.inst_mut(v).args.pop();
        }
        Ok(Changed::Yes)
    });
    let options = Options { verify_each: true, ..Options::default() };
    let error = Pipeline::new([opt(), breaks, deadcode()]).run(&mut module(), &options, &mut []).unwrap_err();
    assert_eq!(error.pass(), Some("breaks"));
    assert!(matches!(error, Failure::Broken { .. }));
}

#[test]
fn a_pass_that_hides_a_change_or_breaks_more_than_it_says_is_caught() {
    let options = Options { verify_each: true, ..Options::default() };
    let silent = lie("silent", |func, _, _| {
        func.noinline = true;
        Ok(Changed::No)
    });
    let error = Pipeline::new([silent]).run(&mut module(), &options, &mut []).unwrap_err();
    assert_eq!(error.to_string(), "the pass reports no change but made one after pass silent");

    let warm = lie("warm", |func, _, cx| {
        cx.analysis::<larrow_ir::cfg::DomTree>(func);
        Ok(Changed::No)
    });
    let modest = lie("modest", |func, _, _| {
        let b = func.entry();
        func.split_block(b, 0);
        Ok(Changed::Yes)
    })
    .breaks(Facts::VALUES);
    let error = Pipeline::new([warm, modest]).run(&mut module(), &options, &mut []).unwrap_err();
    assert!(error.to_string().contains("the cached dominator tree is stale"), "{error}");
}

#[test]
fn errors_of_all_functions_come_together_and_end_the_run() {
    let ran = std::rc::Rc::new(Cell::new(false));
    let after = {
        let ran = ran.clone();
        Pass::module("after", "must not run", move |_: &mut Module, _: &mut PassCx<'_>| {
            ran.set(true);
            Ok(Changed::No)
        })
    };
    let complain = lie("complain", |func, _, cx| {
        cx.report(Diagnostic::error(format!("one of {}", func.name)));
        Err(Box::new(Diagnostic::error(format!("two of {}", func.name))))
    });
    let error =
        Pipeline::new([complain, after]).run(&mut module(), &Options::default(), &mut []).unwrap_err();
    let messages: Vec<&str> = error.diagnostics().iter().map(|d| &*d.message).collect();
    assert_eq!(messages, ["one of f", "two of f", "one of g", "two of g"]);
    assert!(!ran.get());
}

struct Rename;
impl Rewriter for Rename {
    fn name(&self) -> &str {
        "rename"
    }
    fn package(&self, module: &mut Module, _: &mut PassCx<'_>) -> PassResult {
        module.decls.file = "seen.go".into();
        Ok(Changed::Yes)
    }
    fn instruction(&self, func: &mut Function, at: Value, _: &mut Decls, cx: &mut PassCx<'_>) -> PassResult {
        if func.inst(at).int_const() != Some(2) {
            return Ok(Changed::No);
        }
        cx.origin(at, "two becomes seven", &[]);
        *func.inst_mut(at) = Inst::new(Op::Const, func.ty(at), &[]).with(Aux::Int(7));
        Ok(Changed::Yes)
    }
}

#[test]
fn a_rewriter_runs_as_a_row_of_its_point() {
    let mut pipeline = Pipeline::standard();
    pipeline.add_rewriter(HookPoint::AfterBuild, Box::new(Rename)).unwrap();
    let mut m = module();
    let mut trace = Trace::new("larrow 0", &[], 2, "");
    pipeline.run(&mut m, &Options::checked(2, 1), &mut [&mut trace]).unwrap();
    assert_eq!(&*m.decls.file, "seen.go");
    let step = &trace.steps[0];
    assert_eq!((&*step.pass, step.func.as_deref(), step.values.edited), ("after-build", Some("f"), 1));
    assert_eq!(step.origins[0].rule, "two becomes seven");
    assert!(trace.header.pipeline.starts_with("after-build early-deadcode"));
    assert!(!trace.header.pipeline.contains("lower-entry"), "a point without rewriters does not run");
    assert!(trace.after(trace.steps.len() - 1).is_none_or(|text| text.contains("[10]")));
}

#[test]
fn minus_n_runs_the_required_rows_alone() {
    let pipeline = Pipeline::standard();
    let options = Options { required_only: true, ..Options::default() };
    let names = pipeline.describe(&options);
    assert!(names.starts_with("lower-make-chan") && names.ends_with("critical"), "{names}");
    assert!(!names.contains("inline") && !names.contains("opt"));
}
