//! Types in messages, as the text format spells them.

use cranelift_entity::EntityRef;

use crate::entity::Type;
use crate::text::TypeText;
use crate::types::TypeTable;

/// A type as the text format spells it; a type of another module is `?`.
pub(super) fn spell_type(types: &TypeTable, ty: Type) -> String {
    if ty.index() < types.len() { TypeText::new(types, ty).to_string() } else { "?".to_string() }
}
