//! The example through both engines, before binding and after.

use larrow_backend_bpf::TargetOptions;
use larrow_backend_bpf::target::{Output, compile, pipeline};
use larrow_ir::{Module, text};
use larrow_passes::Options;

use super::*;
use crate::packet::Packet;

const FILTER: &str = include_str!("../../../examples/port_filter.ssa");

fn parsed(source: &str) -> Module {
    text::parse("test.ssa", source).expect("parses").module
}

fn compiled(source: &str, level: u8) -> (Module, Output) {
    compiled_for(source, level, &TargetOptions::default())
}

fn compiled_for(source: &str, level: u8, target: &TargetOptions) -> (Module, Output) {
    let mut module = parsed(source);
    let options = Options { level, ..Options::default() };
    let output = compile(&mut module, &pipeline(target), &options, target, None, &mut []).expect("compiles");
    (module, output)
}

fn port(n: u16) -> Vec<u8> {
    n.to_le_bytes().to_vec()
}

fn inputs() -> Vec<(Inputs, u64)> {
    let to = |n| Inputs::default().packet(Packet::tcp(40_000, n).bytes());
    vec![
        (to(80), 2),
        (to(443), 1),
        (to(443).send("ports", [port(443)]), 2),
        (to(80).send("ports", (0..12).map(port)).repeat(3), 1),
        (to(443).send("ports", [port(443)]).close("ports").repeat(2), 1),
        (Inputs::default(), 1),
    ]
}

#[test]
fn a_module_means_the_same_before_binding_and_after() {
    let source = parsed(FILTER);
    for level in 0..=4 {
        let (bound, _) = compiled(FILTER, level);
        for (inputs, result) in inputs() {
            let first = interp(&source, "filter", &inputs).unwrap();
            let second = interp(&bound, "filter", &inputs).unwrap();
            assert_eq!(first.differences(&second), [""; 0], "-l={level}");
            assert_eq!(first.ret, Some(result));
        }
    }
}

#[test]
fn the_kernel_agrees() {
    if let Err(why) = kernel_version() {
        return skipped(&why);
    }
    let source = parsed(FILTER);
    for level in 0..=4 {
        let (module, output) = compiled(FILTER, level);
        for (inputs, _) in inputs() {
            let first = interp(&source, "filter", &inputs).unwrap();
            let second = kernel(&output.object, &module, "filter", &inputs).unwrap();
            assert_eq!(first.differences(&second), [""; 0], "-l={level}");
            let bound = interp(&module, "filter", &inputs).unwrap();
            assert_eq!(bound.differences(&second), [""; 0], "-l={level}");
            assert!(!second.sites.is_empty());
        }
    }
}

#[test]
fn a_ring_that_is_addressed_directly_is_found_as_well() {
    let target =
        TargetOptions { bind: larrow_backend_bpf::bind::BindMode::Direct, ..TargetOptions::default() };
    let source = parsed(FILTER);
    let (module, output) = compiled_for(FILTER, 4, &target);
    for (inputs, _) in inputs() {
        let first = interp(&source, "filter", &inputs).unwrap();
        let bound = interp(&module, "filter", &inputs).unwrap();
        assert_eq!(first.differences(&bound), [""; 0]);
        if let Err(why) = kernel_version() {
            return skipped(&why);
        }
        let second = kernel(&output.object, &module, "filter", &inputs).unwrap();
        assert_eq!(first.differences(&second), [""; 0]);
    }
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn skipped(why: &EngineError) {
    eprintln!("skipped: {why}");
}

/// Runs the example's pipeline with one more pass, watched.
fn validated(pass: larrow_passes::Pass) -> Result<usize, String> {
    let target = TargetOptions::default();
    let mut rows = pipeline(&target);
    rows.insert_before("fuse", pass).unwrap();
    let inputs = inputs().into_iter().map(|(inputs, _)| inputs).collect();
    let mut watch = Validate::new(vec!["filter".into()], inputs);
    let made = compile(&mut parsed(FILTER), &rows, &Options::default(), &target, None, &mut [&mut watch]);
    made.map(|_| watch.checks()).map_err(|errors| errors[0].message.clone())
}

#[test]
fn a_pass_that_changes_the_meaning_is_found_by_running() {
    use larrow_ir::{Aux, Function, Op};
    use larrow_passes::{Changed, Pass, PassCx};
    type Decls = larrow_ir::Decls;
    let idle = |_: &mut Function, _: &mut Decls, _: &mut PassCx<'_>| Ok(Changed::No);
    assert!(validated(Pass::function("idle", "does nothing", idle)).unwrap() > 50);
    let wrong = |func: &mut Function, _: &mut Decls, _: &mut PassCx<'_>| {
        let found = func
            .iter_insts()
            .find(|&(_, v)| func.inst(v).op == Op::Const && matches!(func.inst(v).aux, Aux::Int(80)));
        let Some((_, v)) = found else { return Ok(Changed::No) };
        func.inst_mut(v).aux = Aux::Int(81);
        Ok(Changed::Yes)
    };
    let message = validated(Pass::function("wrong", "changes a constant", wrong)).unwrap_err();
    assert_eq!(message, "pass `wrong` changed what the program does: @filter on input 0: result: 2 ≠ 1");
}

#[test]
fn what_user_space_sends_is_received_counted_or_refused() {
    let inputs = Inputs::default().send("ports", (0..12).map(port)).repeat(3);
    let (bound, _) = compiled(FILTER, 2);
    let observed = interp(&bound, "filter", &inputs).unwrap();
    assert_eq!(observed.refused["ports"], 4);
    assert_eq!(observed.channels["ports"].contents, (3..8).map(port).collect::<Vec<_>>());
    assert_eq!(observed.sites["recv@port_filter.go:8:14"], [3, 0, 0, 0]);
}

#[test]
fn differences_name_the_thing_and_both_sides() {
    let mut a =
        Observed { ret: Some(1), returns: vec![Some(1)], packet: vec![1, 2, 3], ..Observed::default() };
    let mut b =
        Observed { ret: Some(2), returns: vec![Some(2)], packet: vec![1, 9, 3], ..Observed::default() };
    a.channels.insert("c".into(), ChannelState { contents: vec![vec![1, 0]], closed: false });
    b.channels.insert("c".into(), ChannelState { contents: vec![], closed: true });
    a.maps.insert("m".into(), vec![(vec![1], vec![2])]);
    b.maps.insert("m".into(), vec![]);
    a.sites.insert("only here".into(), [1, 0, 0, 0]);
    assert_eq!(
        a.differences(&b),
        [
            "result: 1 ≠ 2",
            "packet, from byte 1: 0203 ≠ 0903",
            "channel @c: open ≠ closed",
            "channel @c: [0100] ≠ []",
            "map @m[01]: 02 ≠ absent",
        ]
    );
    assert_eq!(a.differences(&a.clone()), [""; 0]);
}

#[test]
fn misspelt_names_get_the_nearest() {
    let module = parsed(FILTER);
    let error = interp(&module, "fliter", &Inputs::default()).unwrap_err();
    assert_eq!((error.to_string(), error.nearest()), ("there is no function @fliter".into(), Some("filter")));
    let error = interp(&module, "filter", &Inputs::default().close("port")).unwrap_err();
    assert_eq!((error.to_string(), error.nearest()), ("there is no channel @port".into(), Some("ports")));
    let error = interp(&module, "filter", &Inputs::default().send("ports", [vec![1]])).unwrap_err();
    assert_eq!(error.to_string(), "an element of channel @ports is 2 bytes, not 1");
}
