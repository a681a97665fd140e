//! Random expressions over all widths on the kernel: what is left dirty above a narrow value must never show.

use larrow_ir::{Module, Op, Type};

use super::build::{arg, done, put, syscall, uint};
use super::machine::{BINARY, COMPARE, eval, load, mask, privileged, run, sext};
use crate::isa::Isa;

/// A linear congruential generator: the same programs every time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }
    fn word(&mut self) -> u64 {
        let high = self.below(1 << 31) as u64;
        (high << 33 | self.below(1 << 31) as u64) >> self.below(64)
    }
}

/// A step of an expression; operands are earlier steps. Every result has a width.
#[derive(Clone, Copy, Debug)]
enum Step {
    Arg(u32),
    Const(u64),
    Binary(Op, usize, usize),
    Compare(Op, usize, usize),
    Unary(Op, usize),
    Convert(Op, usize),
}

const WIDTHS: [u32; 4] = [8, 16, 32, 64];

fn random_steps(random: &mut Random, count: usize) -> Vec<(Step, u32)> {
    let mut steps: Vec<(Step, u32)> = (0..4).map(|n| (Step::Arg(n), WIDTHS[n as usize])).collect();
    while steps.len() < count {
        let x = random.below(steps.len());
        let bits = steps[x].1;
        let same: Vec<usize> = (0..steps.len()).filter(|&i| steps[i].1 == bits).collect();
        let y = same[random.below(same.len())];
        let to = WIDTHS[random.below(4)];
        steps.push(match random.below(8) {
            0 => (Step::Const(random.word() & mask(bits)), bits),
            1..=3 => (Step::Binary(BINARY[random.below(BINARY.len())], x, y), bits),
            4 => (Step::Compare(COMPARE[random.below(COMPARE.len())], x, y), 8),
            5 => (Step::Unary([Op::Neg, Op::Com][random.below(2)], x), bits),
            _ if to == bits => (Step::Unary(Op::Com, x), bits),
            _ if to < bits => (Step::Convert(Op::Trunc, x), to),
            _ => (Step::Convert([Op::ZeroExt, Op::SignExt][random.below(2)], x), to),
        });
    }
    steps
}

fn build(steps: &[(Step, u32)]) -> Module {
    let mut module = Module::new("random.go");
    syscall(&mut module, |build, ctx| {
        let mut values = Vec::new();
        for &(step, bits) in steps {
            let v = match step {
                Step::Arg(n) => arg(build, ctx, n, bits),
                Step::Const(c) => build.int(uint(bits), c),
                Step::Binary(op, x, y) => build.op(op, uint(bits), &[values[x], values[y]]),
                Step::Compare(op, x, y) => {
                    let truth = build.op(op, Type::BOOL, &[values[x], values[y]]);
                    build.zero_ext(Type::U8, truth)
                }
                Step::Unary(op, x) | Step::Convert(op, x) => build.op(op, uint(bits), &[values[x]]),
            };
            values.push(v);
        }
        // Only the last few are looked at, so that some values have narrow uses alone.
        for (n, &v) in (4..8).zip(values.iter().rev()) {
            put(build, ctx, n, v);
        }
        done(build);
    });
    module
}

fn expect(steps: &[(Step, u32)], words: &[u64]) -> Vec<u64> {
    let mut values: Vec<u64> = Vec::new();
    for &(step, bits) in steps {
        let v = match step {
            Step::Arg(n) => words[n as usize] & mask(bits),
            Step::Const(c) => c,
            Step::Binary(op, x, y) => eval(op, values[x], values[y], bits),
            Step::Compare(op, x, y) => eval(op, values[x], values[y], steps[x].1),
            Step::Unary(op, x) => eval(op, values[x], 0, bits),
            Step::Convert(Op::SignExt, x) => sext(values[x], steps[x].1).cast_unsigned() & mask(bits),
            Step::Convert(_, x) => values[x] & mask(bits),
        };
        values.push(v);
    }
    values.into_iter().rev().take(4).collect()
}

#[test]
fn random_expressions_mean_what_they_say() {
    if !privileged("random_expressions_mean_what_they_say") {
        return;
    }
    let mut random = Random(20_240_607);
    for round in 0..150 {
        let count = 8 + random.below(40);
        let steps = random_steps(&mut random, count);
        let module = build(&steps);
        for isa in Isa::ALL {
            let loaded = load(&module, isa);
            for _ in 0..6 {
                let words: Vec<u64> = (0..8).map(|_| random.word()).collect();
                let out = run(&loaded, &words);
                assert_eq!(
                    out[4..],
                    expect(&steps, &words),
                    "round {round} on {isa}: {words:x?}\n{steps:#?}"
                );
            }
        }
    }
}
