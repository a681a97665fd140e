use crate::builder::FuncBuilder;
use crate::entity::Type;
use crate::function::Function;
use crate::module::Module;

use super::verify;

#[test]
fn a_small_module_passes() {
    let mut module = Module::new("a.go");
    let mut func = Function::new("f", Type::U32);
    let x = func.add_param(Type::U32);
    let mut build = FuncBuilder::new(&mut func, &mut module.decls);
    let entry = build.block();
    build.switch_to(entry);
    let y = build.add(x, x);
    build.ret(Some(y));
    module.add_func(func).expect("a fresh name");
    assert_eq!(verify(&module), Ok(()));
}
