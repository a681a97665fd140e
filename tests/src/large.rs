//! Large functions of a given number of values, to see how compiling grows with size.

use larrow_ir::{FuncBuilder, Function, Module, Op, Space, Type, Value};

/// The shape of a large function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Arithmetic in one block.
    Straight,
    /// A chain of small diamonds, five values and three blocks each.
    Blocks,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 2] = [Shape::Straight, Shape::Blocks];

    /// A word for tables and file names.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Straight => "straight",
            Shape::Blocks => "blocks",
        }
    }
}

/// How many results stay in use: few enough for the machine's registers.
const LIVE: usize = 6;

/// A `syscall` program with one function of about so many values. None of them is constant, equal to another, or
/// unused, so that no pass makes the function small.
pub fn module(shape: Shape, values: usize) -> Module {
    let mut module = Module::new("large.go");
    let mut func = Function::new("main", Type::U32);
    func.section = Some("syscall".into());
    let opaque = module.decls.types.opaque("syscall");
    let ty = module.decls.types.ptr(Space::Ctx, opaque);
    let ctx = func.add_param(ty);
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    let mut live: Vec<Value> =
        (0..LIVE).map(|n| build.ctx_load(Type::U64, ctx, &format!("arg{n}"))).collect();
    let mut step = 0;
    while build.func.num_values() < values {
        let (x, y) = (live[step % LIVE], live[(step * 5 + 1) % LIVE]);
        live[step % LIVE] = match shape {
            Shape::Straight => arithmetic(&mut build, step, x, y),
            Shape::Blocks => diamond(&mut build, step, x, y),
        };
        step += 1;
    }
    let sum = live[1..].iter().fold(live[0], |sum, &v| build.xor(sum, v));
    let out = build.ptr_offset(Type::U64, ctx, 0);
    build.store(out, sum);
    let zero = build.int(Type::U32, 0);
    build.ret(Some(zero));
    assert!(module.add_func(func).is_ok(), "the module was empty");
    module
}

fn arithmetic(build: &mut FuncBuilder<'_>, step: usize, x: Value, y: Value) -> Value {
    const OPS: [Op; 5] = [Op::Add, Op::Xor, Op::Mul, Op::Sub, Op::Or];
    if step % 4 == 3 {
        let by = build.int(Type::U64, (step % 31 + 1) as u64);
        let moved = build.rsh_u(y, by);
        return build.add(x, moved);
    }
    build.op(OPS[step % OPS.len()], Type::U64, &[x, y])
}

fn diamond(build: &mut FuncBuilder<'_>, step: usize, x: Value, y: Value) -> Value {
    let bound = build.int(Type::U64, step as u64 * 3 + 1);
    let less = build.less_u(x, bound);
    let (then, other, join) = (build.block(), build.block(), build.block());
    build.branch(less, then, other);
    build.switch_to(then);
    let sum = build.add(x, y);
    build.jump(join);
    build.switch_to(other);
    let mixed = build.xor(x, bound);
    build.jump(join);
    build.switch_to(join);
    build.phi(Type::U64, &[sum, mixed])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_verify_and_have_the_size() {
        for shape in Shape::ALL {
            let module = module(shape, 1000);
            assert!(larrow_ir::verify(&module).is_ok(), "{}", shape.name());
            let func = module.funcs.iter().next().expect("one function").1;
            assert!((1000..1020).contains(&func.num_values()), "{}", func.num_values());
        }
    }
}
