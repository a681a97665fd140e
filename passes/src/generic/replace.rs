//! Collected replacements of values, applied in one walk.

use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;
use larrow_ir::{Function, Type, TypeTable, Value};

/// What each value is to be replaced by. Chains are followed and shortened.
#[derive(Default)]
pub(crate) struct Replacements {
    to: SecondaryMap<Value, PackedOption<Value>>,
    count: u64,
}

impl Replacements {
    /// Uses of `v` become uses of `by`. `v` must not be what `by` leads to.
    pub(crate) fn set(&mut self, v: Value, by: Value) {
        let by = self.get(by);
        debug_assert_ne!(v, by, "a value is not replaced by itself");
        self.to[v] = by.into();
        self.count += 1;
    }
    /// What `v` leads to: itself unless replaced.
    pub(crate) fn get(&mut self, v: Value) -> Value {
        let mut end = v;
        while let Some(next) = self.to[end].expand() {
            end = next;
        }
        let mut at = v;
        while let Some(next) = self.to[at].expand() {
            if next != end {
                self.to[at] = end.into();
            }
            at = next;
        }
        end
    }
    /// Whether `v` is to be replaced.
    pub(crate) fn has(&self, v: Value) -> bool {
        self.to[v].is_some()
    }
    /// How many values are to be replaced.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }
    /// Rewrites every use and takes the replaced instructions out.
    pub(crate) fn apply(mut self, func: &mut Function) {
        if self.count == 0 {
            return;
        }
        func.replace_uses(|v| self.get(v));
        for b in func.layout().to_vec() {
            if func.block(b).insts.iter().any(|&v| self.has(v)) {
                func.retain(b, |_, v| !self.has(v));
            }
        }
    }
}

/// Whether a value of one type may stand where one of the other stood: the types are one, or integers of one
/// width. Pointers to unlike things are not, since loads go by the pointee.
pub(crate) fn interchangeable(types: &TypeTable, a: Type, b: Type) -> bool {
    a == b || (types.is_int(a) && types.is_int(b) && types.bits(a) == types.bits(b))
}
