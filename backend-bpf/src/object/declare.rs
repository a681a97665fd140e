//! Declarations in BTF: maps, data sections, and functions that came without a type.

use super::{DataSection, DataSymbol, Function, Layout, Line, MapSpec, Object, ObjectError};
use crate::btf::{Btf, DataEntry, IntEncoding, Linkage, Member, Parameter, Type, TypeId, VariableLinkage};

/// Bytes a map takes in `.maps` for each of its attributes: a pointer.
pub(super) const ATTRIBUTE: u32 = 8;

/// A copy of the object that lacks nothing: maps and data sections are declared, every function has a type and, if
/// any function has lines, a line at its start. With it, the size of each map's entry in `.maps`, in bytes.
pub(crate) fn complete(object: &Object) -> Result<(Object, Vec<u32>), ObjectError> {
    let mut object = object.clone();
    let map_sizes = declare_maps(&mut object.btf, &object.maps)?;
    for section in &object.globals {
        declare_data(&mut object.btf, section);
    }
    let with_lines = object.functions().any(|function| !function.lines.is_empty());
    let programs = object.programs.iter_mut().map(|program| (&mut program.function, Linkage::Global));
    let subprograms = object.subprograms.iter_mut().map(|function| (function, Linkage::Static));
    for (function, linkage) in programs.chain(subprograms) {
        function.btf = Some(function_type(&mut object.btf, function, linkage));
        if with_lines {
            start_line(function);
        }
    }
    Ok((object, map_sizes))
}

/// Makes the first line start with the function: the kernel wants that of all functions if any has lines.
fn start_line(function: &mut Function) {
    if function.lines.first().is_some_and(|line| line.offset == 0) {
        return;
    }
    let unknown = Line { offset: 0, file: String::new(), line: 0, column: 0, text: String::new() };
    let first = function.lines.first().map_or(unknown, |line| Line { offset: 0, ..line.clone() });
    function.lines.insert(0, first);
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
    let typed = |symbol: &DataSymbol| symbol.btf.map(|ty| (symbol.clone(), ty));
    let Some(symbols) = data.symbols.iter().map(typed).collect::<Option<Vec<_>>>() else { return };
    if symbols.is_empty() {
        return;
    }
    let entry = |(symbol, ty): (DataSymbol, TypeId)| {
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
