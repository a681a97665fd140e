//! Random damage: whatever is wrong, the answer is a list of errors.

use super::*;
use crate::cfg::draw::Random;

fn damaged(random: &mut Random) -> Module {
    let mut module = module(|f, p| {
        let (then, join) = (f.block(), f.block());
        let got = f.chan_recv(p[5], None, RecvForm::CommaOk);
        let ok = f.extract(got, 1);
        f.branch(ok, then, join);
        f.switch_to(then);
        let x = f.extract(got, 0);
        f.store(p[4], x);
        f.jump(join);
        f.switch_to(join);
        f.phi(Type::U32, &[p[0], x]);
        f.call(Type::U8, FuncId::new(0), &[p[0]]);
        f.slot(Type::U64);
        f.ret(None);
    });
    let func = &mut module.funcs[FuncId::new(1)];
    for _ in 0..1 + random.below(3) {
        let v = Value::new(random.below(func.num_values()));
        match random.below(7) {
            0 => func.inst_mut(v).op = Op::ALL[random.below(Op::ALL.len())],
            1 => func.inst_mut(v).ty = Type::new(random.below(40)),
            2 => func.inst_mut(v).args.push(Value::new(random.below(30))),
            3 => func.inst_mut(v).aux = aux(random),
            4 => func.block_mut(b(random.below(3))).insts.push(Value::new(random.below(30))),
            5 => {
                let term = match random.below(4) {
                    0 => Terminator::Plain(b(random.below(5))),
                    1 => Terminator::Exit,
                    2 => Terminator::Switch {
                        on: v,
                        cases: vec![(1, b(1)), (1, b(2))],
                        default: b(random.below(5)),
                    },
                    _ => Terminator::Ret(Some(Value::new(random.below(30)))),
                };
                func.block_mut(b(random.below(3))).term = term;
            }
            _ => func.place(v, b(random.below(5))),
        }
    }
    module
}

fn aux(random: &mut Random) -> Aux {
    let n = random.below(5);
    let (map, index) = (MapId::new(n), u32::try_from(n).expect("small"));
    let all = [
        Aux::None,
        Aux::Int(u64::MAX),
        Aux::Float(7),
        Aux::Nil,
        Aux::Index(index),
        Aux::Bounds { lo: 9, hi: u64::MAX },
        Aux::Size(3),
        Aux::Slot(Slot::new(n)),
        Aux::Global(crate::entity::GlobalId::new(n)),
        Aux::Func(FuncId::new(n)),
        Aux::Chan(crate::entity::ChanId::new(n)),
        Aux::Form(RecvForm::Discard),
        Aux::Select(Box::default()),
        Aux::Runtime(RuntimeFn::ALL[random.below(RuntimeFn::ALL.len())]),
        Aux::Intrinsic(crate::entity::IntrinsicId::new(n)),
        Aux::Site(SiteId::new(n)),
        Aux::Name("x".into()),
        Aux::Lookup { map, role: LookupRole::Plain },
        Aux::MapFlags { map, flags: 0 },
        Aux::MapOffset { map, offset: u32::MAX },
    ];
    all[random.below(all.len())].clone()
}

#[test]
fn damage_never_panics() {
    let mut random = Random(23);
    let mut found = 0;
    for _ in 0..20_000 {
        let module = damaged(&mut random);
        if let Err(errors) = verify(&module) {
            found += 1;
            assert!(!super::super::render(&module, &errors).is_empty());
        }
    }
    // Some damage is harmless, such as another payload of an id that nothing uses.
    assert!(found > 15_000, "{found} of 20000");
}
