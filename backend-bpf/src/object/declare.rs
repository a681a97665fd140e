//! Declarations in BTF: maps, data sections, and functions that came without a type.

use super::{DataSection, Function, Layout, MapSpec, Object, ObjectError};
use crate::btf::{Btf, DataEntry, IntEncoding, Linkage, Member, Parameter, Type, TypeId, VariableLinkage};

/// Bytes a map takes in `.maps` for each of its attributes: a pointer.
pub(super) const ATTRIBUTE: u32 = 8;

/// The types of an object with everything declared, and what the writer needs to know of it.
pub(super) struct Declared {
    pub(super) btf: Btf,
    /// Size of each map's entry in `.maps`, in bytes.
    pub(super) map_sizes: Vec<u32>,
    /// The types of the programs, then of the subprograms.
    pub(super) functions: Vec<TypeId>,
}

/// Adds to a copy of the object's types what declares its maps, data and functions.
pub(super) fn declare(object: &Object) -> Result<Declared, ObjectError> {
    let mut btf = object.btf.clone();
    let map_sizes = declare_maps(&mut btf, &object.maps)?;
    for section in &object.globals {
        declare_data(&mut btf, section);
    }
    let programs = object.programs.iter().map(|program| (&program.function, Linkage::Global));
    let subprograms = object.subprograms.iter().map(|function| (function, Linkage::Static));
    let functions = programs
        .chain(subprograms)
        .map(|(function, linkage)| function_type(&mut btf, function, linkage))
        .collect();
    Ok(Declared { btf, map_sizes, functions })
}

/// The function's own type, or `int f(void *ctx)`: the kernel wants all functions described or none, and looks at the
/// parameters of global subprograms alone.
fn function_type(btf: &mut Btf, function: &Function, linkage: Linkage) -> TypeId {
    if let Some(id) = function.btf {
        return id;
    }
    let int = btf.int("int", 4, IntEncoding::Signed);
    let pointer = btf.pointer(TypeId::VOID);
    btf.function(&function.name, linkage, int, vec![Parameter::new("ctx", pointer)])
}

/// Declares the maps as libbpf wants them: a variable of anonymous structure type for each, an attribute a member.
fn declare_maps(btf: &mut Btf, maps: &[MapSpec]) -> Result<Vec<u32>, ObjectError> {
    let mut sizes = Vec::new();
    let mut entries = Vec::new();
    let mut offset = 0u32;
    for map in maps {
        let (ty, size) = map_type(btf, map)?;
        let linkage = VariableLinkage::Global;
        let variable = btf.add(Type::Variable { name: map.name.clone(), ty, linkage });
        entries.push(DataEntry { variable, offset, size });
        sizes.push(size);
        offset = offset
            .checked_add(size)
            .ok_or_else(|| ObjectError::invalid(".maps", "the section reaches 2^32 bytes"))?;
    }
    if !maps.is_empty() {
        section(btf, Type::DataSection { name: ".maps".into(), size: offset, entries });
    }
    Ok(sizes)
}

/// The structure that declares a map, with its size in bytes.
fn map_type(btf: &mut Btf, map: &MapSpec) -> Result<(TypeId, u32), ObjectError> {
    let extra = u32::try_from(map.extra).map_err(|_| {
        ObjectError::invalid(format!("map `{}`", map.name), "`extra` needs more than 32 bits")
    })?;
    let mut attributes = Vec::new();
    number(btf, &mut attributes, "type", map.kind.number());
    for (name, value) in [("max_entries", map.max_entries), ("map_flags", map.flags), ("map_extra", extra)] {
        if value != 0 {
            number(btf, &mut attributes, name, value);
        }
    }
    for (name, size_name, layout) in [("key", "key_size", map.key), ("value", "value_size", map.value)] {
        match layout {
            Layout::None => {}
            Layout::Size(size) => number(btf, &mut attributes, size_name, size),
            Layout::Type(id) => {
                btf.size_of(id)?;
                let pointer = btf.pointer(id);
                attributes.push((name, pointer));
            }
        }
    }
    let size = attributes.len() as u32 * ATTRIBUTE;
    let member =
        |(index, &(name, ty)): (usize, &(&str, TypeId))| Member::new(name, ty, index as u32 * ATTRIBUTE);
    let members = attributes.iter().enumerate().map(member).collect();
    Ok((btf.add(Type::Struct { name: String::new(), size, members }), size))
}

/// A number is said by a pointer to an array of that many elements.
fn number(btf: &mut Btf, attributes: &mut Vec<(&'static str, TypeId)>, name: &'static str, value: u32) {
    let int = btf.int("int", 4, IntEncoding::Signed);
    let array = btf.array(int, value);
    let pointer = btf.pointer(array);
    attributes.push((name, pointer));
}

/// Declares a data section if all of its variables have types; without, it is a map of plain bytes.
fn declare_data(btf: &mut Btf, data: &DataSection) {
    let typed = |symbol: &super::DataSymbol| symbol.btf.map(|ty| (symbol.clone(), ty));
    let Some(symbols) = data.symbols.iter().map(typed).collect::<Option<Vec<_>>>() else { return };
    if symbols.is_empty() {
        return;
    }
    let entry = |(symbol, ty): (super::DataSymbol, TypeId)| {
        let linkage = VariableLinkage::Global;
        let variable = btf.add(Type::Variable { name: symbol.name, ty, linkage });
        DataEntry { variable, offset: symbol.offset, size: symbol.size }
    };
    let entries = symbols.into_iter().map(entry).collect();
    let size = data.contents.size() as u32;
    section(btf, Type::DataSection { name: data.name.clone(), size, entries });
}

/// Adds a section's declaration; one of the same name (in types that were read from a file) makes way.
fn section(btf: &mut Btf, ty: Type) {
    let Type::DataSection { name, .. } = &ty else { return };
    match btf.data_section(name) {
        Some(id) => btf.define(id, ty),
        None => {
            btf.add(ty);
        }
    }
}
