//! Sizes of types, and what stands behind qualifiers and typedefs.

use super::{Btf, BtfError, Type, TypeId};

/// How many references are followed before a cycle is assumed (the kernel's limit is 32).
const DEPTH: u32 = 64;

impl Btf {
    /// Follows typedefs, qualifiers and tags to the type behind them; stops at `void` and in cycles.
    pub fn resolve(&self, mut id: TypeId) -> TypeId {
        for _ in 0..DEPTH {
            match self.get(id) {
                Some(
                    Type::Typedef { target, .. }
                    | Type::Volatile { target }
                    | Type::Const { target }
                    | Type::Restrict { target }
                    | Type::TypeTag { target, .. },
                ) => id = *target,
                Some(_) | None => break,
            }
        }
        id
    }

    /// The size in bytes of a value of the type.
    ///
    /// # Errors
    /// [`BtfError::Unsized`] for what has no size: `void`, functions, forward declarations, cycles.
    pub fn size_of(&self, id: TypeId) -> Result<u32, BtfError> {
        let mut factor = 1u64;
        let mut at = id;
        for _ in 0..DEPTH {
            at = self.resolve(at);
            let size = match self.get(at) {
                Some(Type::Array { element, count, .. }) => {
                    factor = factor.saturating_mul(u64::from(*count));
                    at = *element;
                    continue;
                }
                Some(Type::Variable { ty, .. }) => {
                    at = *ty;
                    continue;
                }
                Some(
                    Type::Int { size, .. }
                    | Type::Struct { size, .. }
                    | Type::Union { size, .. }
                    | Type::Enum { size, .. }
                    | Type::Enum64 { size, .. }
                    | Type::DataSection { size, .. }
                    | Type::Float { size, .. },
                ) => u64::from(*size),
                Some(Type::Pointer { .. }) => 8,
                Some(
                    Type::Void
                    | Type::Forward { .. }
                    | Type::Typedef { .. }
                    | Type::Volatile { .. }
                    | Type::Const { .. }
                    | Type::Restrict { .. }
                    | Type::Function { .. }
                    | Type::FunctionProto { .. }
                    | Type::DeclTag { .. }
                    | Type::TypeTag { .. },
                )
                | None => break,
            };
            let total = factor.saturating_mul(size);
            return u32::try_from(total)
                .map_err(|_| BtfError::OutOfRange { id, what: "the size reaches 2^32 bytes" });
        }
        Err(BtfError::Unsized { id })
    }
}
