//! Making a failing module small.
use crate::module::Module;
/// Placeholder signature.
pub fn reduce(module: &Module, _fails: impl FnMut(&Module) -> bool) -> Module {
    module.clone()
}
