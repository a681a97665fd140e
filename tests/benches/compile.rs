//! How long the parts of the compiler take: on every example, and on large functions of two shapes.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use larrow_backend_bpf::{TargetOptions, compile_module, target};
use larrow_interp::{Interp, Val};
use larrow_ir::{Module, text};
use larrow_passes::Options;
use larrow_tests::large::{self, Shape};
use larrow_tests::llc;

fn parse(source: &str) -> Module {
    text::parse("bench.ssa", source).expect("the text is valid").module
}

fn level(level: u8) -> Options {
    Options { level, ..Options::default() }
}

/// From a module to the bytes of an object.
fn compile(mut module: Module, options: &Options) -> usize {
    let target = TargetOptions::default();
    let pipeline = target::pipeline(&target);
    let output = target::compile(&mut module, &pipeline, options, &target, None, &mut []);
    output.expect("it compiles").bytes.len()
}

/// What the pipeline makes of a module: what instruction selection takes.
fn lowered(mut module: Module, options: &Options) -> Module {
    let pipeline = larrow_backend_bpf::llvm::pipeline(&TargetOptions::default());
    pipeline.run(&mut module, options, &mut []).expect("it compiles");
    module
}

fn examples(c: &mut Criterion) {
    for (name, source) in llc::examples().expect("the examples are there") {
        let mut group = c.benchmark_group(&name);
        group.bench_function("parse", |b| b.iter(|| parse(&source)));
        let module = parse(&source);
        for l in 0..=4 {
            let options = level(l);
            group.bench_function(format!("compile -l {l}"), |b| {
                b.iter_batched(|| module.clone(), |m| compile(m, &options), BatchSize::SmallInput);
            });
        }
        stages(&mut group, &module);
        group.finish();
    }
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

/// The pipeline at the highest level, then what follows it.
fn stages(group: &mut Group<'_>, module: &Module) {
    let options = level(4);
    group.bench_function("passes", |b| {
        b.iter_batched(|| module.clone(), |m| lowered(m, &options), BatchSize::SmallInput);
    });
    let ready = lowered(module.clone(), &options);
    group.bench_function("legalize, select, assign registers", |b| {
        b.iter(|| compile_module(&ready, &TargetOptions::default()).expect("it compiles"));
    });
}

fn large_functions(c: &mut Criterion) {
    for shape in Shape::ALL {
        for size in [1000, 10_000] {
            let module = large::module(shape, size);
            let source = text::print(&module);
            let mut group = c.benchmark_group(format!("{} {size}", shape.name()));
            group.throughput(Throughput::Elements(size as u64)).sample_size(10);
            group.bench_function("parse", |b| b.iter(|| parse(&source)));
            group.bench_function("compile -l 4", |b| {
                b.iter_batched(|| module.clone(), |m| compile(m, &level(4)), BatchSize::LargeInput);
            });
            stages(&mut group, &module);
            group.finish();
        }
    }
}

/// A send and a receive a round, on a buffered channel.
const PING: &str = r"
chan @c: chan u32 cap 4

func @f(v0: u32) -> u32 {
b0:
    v1 = ChanAddr <chan u32> @c
    v2 = Const <u32> [0]
    v3 = Const <u32> [1]
    Plain → b1
b1: ← b0, b2
    v4 = Phi <u32> v2, v9
    v5 = Less <bool> v4, v0
    If v5 → b2, b3
b2: ← b1
    v6: ChanSend v1, v4
    v7 = ChanRecv <(u32, bool)> v1
    v8 = Extract <u32> [0] v7
    v9 = Add <u32> v8, v3
    Plain → b1
b3: ← b1
    Ret v4
}
";

fn interpreter(c: &mut Criterion) {
    const ROUNDS: u64 = 10_000;
    let module = parse(PING);
    let mut group = c.benchmark_group("interpreter");
    group.throughput(Throughput::Elements(ROUNDS));
    group.bench_function("a round of send and receive", |b| {
        let mut interp =
            Interp::new(&module, larrow_interp::Options::default()).expect("the module is small");
        b.iter(|| interp.run("f", &[Val::Int(ROUNDS)]).expect("it does not trap").steps);
    });
    group.finish();
}

criterion_group!(benches, examples, large_functions, interpreter);
criterion_main!(benches);
