//! An ELF file to an object: our own files, and clang's.

use std::collections::HashMap;

use object::{SymbolKind, elf};

use super::slot::{PSEUDO_CALL, SLOT, Shape, blank, immediate, shape};
use super::symbols::{Elf, ElfReloc, ElfSymbol, Role};
use super::{Contents, CustomSection, DataSection, DataSymbol, Function, Layout, Line, MapKind, MapSpec};
use super::{Object, ObjectError, Program, Relocation, Target};
use crate::btf::ext::{BtfExt, LineInfo};
use crate::btf::{Btf, StringTable, Type, TypeId};

/// Reads an object file.
///
/// Functions in `.text` are subprograms, those in other code sections programs. The types are the file's; where clang
/// left sizes and offsets of variables to the loader, they are filled in.
///
/// # Errors
/// The first thing that cannot be understood, with its place.
pub fn read(bytes: &[u8]) -> Result<Object, ObjectError> {
    let elf = Elf::parse(bytes)?;
    let types =
        elf.find(".BTF").map(|index| Btf::parse_with_strings(elf.sections[index].data)).transpose()?;
    let (btf, strings) = types.map_or((Btf::new(), None), |(btf, strings)| (btf, Some(strings)));
    let ext = match (elf.find(".BTF.ext"), strings) {
        (Some(index), Some(strings)) => {
            BtfExt::parse(elf.sections[index].data, strings).map_err(ObjectError::BtfExt)?
        }
        (Some(_), None) => return Err(ObjectError::invalid(".BTF.ext", "there is no .BTF beside it")),
        (None, _) => BtfExt::default(),
    };
    let mut reader = Reader {
        elf: &elf,
        object: Object { btf, core_relocations: ext.core_relocations, ..Object::default() },
        maps: HashMap::new(),
        data: HashMap::new(),
        functions: Vec::new(),
        subprograms: HashMap::new(),
    };
    reader.place_variables();
    reader.license();
    reader.maps()?;
    reader.data()?;
    reader.custom();
    reader.find_functions()?;
    reader.functions(&ext, strings)?;
    Ok(reader.object)
}

/// Where a function is in the file.
struct Found<'a> {
    name: &'a str,
    section: usize,
    offset: usize,
    size: usize,
}

struct Reader<'a> {
    elf: &'a Elf<'a>,
    object: Object,
    /// Maps by their offset in `.maps`.
    maps: HashMap<u64, usize>,
    /// Positions in the object's globals, by ELF section.
    data: HashMap<usize, usize>,
    /// All functions, by section and offset.
    functions: Vec<Found<'a>>,
    /// Positions in the object's subprograms, by offset in `.text`.
    subprograms: HashMap<usize, usize>,
}

impl<'a> Reader<'a> {
    /// Fills in what clang leaves open: sizes of data sections, offsets of their variables.
    fn place_variables(&mut self) {
        let mut symbols: HashMap<(usize, &str), u32> = HashMap::new();
        for symbol in &self.elf.symbols {
            if let (Some(section), Ok(value)) = (symbol.section, u32::try_from(symbol.value)) {
                symbols.insert((section, symbol.name), value);
            }
        }
        let sections: HashMap<&str, usize> =
            self.elf.sections.iter().enumerate().map(|(index, section)| (section.name, index)).collect();
        let found: Vec<(TypeId, Type)> = self.object.btf.iter().map(|(id, ty)| (id, ty.clone())).collect();
        for (id, ty) in found {
            let Type::DataSection { name, size, mut entries } = ty else { continue };
            let Some(&section) = sections.get(name.as_str()) else { continue };
            for entry in &mut entries {
                let Some(Type::Variable { name, .. }) = self.object.btf.get(entry.variable) else { continue };
                if let Some(&value) = symbols.get(&(section, name.as_str())) {
                    entry.offset = value;
                }
                if entry.size == 0 {
                    entry.size = self.object.btf.size_of(entry.variable).unwrap_or(0);
                }
            }
            entries.sort_by_key(|entry| entry.offset);
            let whole = u32::try_from(self.elf.sections[section].size).unwrap_or(size);
            let size = if size == 0 { whole } else { size };
            self.object.btf.define(id, Type::DataSection { name, size, entries });
        }
    }

    fn license(&mut self) {
        if let Some(index) = self.elf.find("license") {
            let text = self.elf.sections[index].data.split(|&b| b == 0).next().unwrap_or_default();
            self.object.license = String::from_utf8_lossy(text).into_owned();
        }
    }

    /// Symbols of the section, by offset.
    fn symbols_of(&self, section: usize, kind: SymbolKind) -> Vec<&'a ElfSymbol<'a>> {
        let fits = |symbol: &&ElfSymbol<'_>| symbol.section == Some(section) && symbol.kind == kind;
        let mut symbols: Vec<_> = self.elf.symbols.iter().filter(fits).collect();
        symbols.sort_by_key(|symbol| symbol.value);
        symbols
    }

    fn maps(&mut self) -> Result<(), ObjectError> {
        let Some(section) = self.elf.find(".maps") else { return Ok(()) };
        let variables = self.variables(".maps");
        for symbol in self.symbols_of(section, SymbolKind::Data) {
            let error = |what: &str| ObjectError::invalid(format!("map `{}`", symbol.name), what);
            let &ty = variables.get(symbol.name).ok_or_else(|| error("it is not declared in .BTF"))?;
            let map = read_map(&self.object.btf, symbol.name, ty)?;
            self.maps.insert(symbol.value, self.object.maps.len());
            self.object.maps.push(map);
        }
        Ok(())
    }

    /// The types of the variables of a data section, by name.
    fn variables(&self, section: &str) -> HashMap<String, TypeId> {
        let btf = &self.object.btf;
        let found = btf.data_section(section).and_then(|id| btf.get(id));
        let Some(Type::DataSection { entries, .. }) = found else { return HashMap::new() };
        let variable = |id| match btf.get(id) {
            Some(Type::Variable { name, ty, .. }) => Some((name.clone(), *ty)),
            Some(_) | None => None,
        };
        entries.iter().filter_map(|entry| variable(entry.variable)).collect()
    }

    fn data(&mut self) -> Result<(), ObjectError> {
        for (index, section) in self.elf.sections.iter().enumerate() {
            let is = |family: &str| {
                section.name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            let place = || format!("section `{}`", section.name);
            let size = u32::try_from(section.size)
                .map_err(|_| ObjectError::invalid(place(), format!("a size of {} bytes", section.size)))?;
            let contents = match section.role {
                Role::Data if is(".rodata") => Contents::ReadOnly(section.data.to_vec()),
                Role::Data if is(".data") => Contents::Data(section.data.to_vec()),
                Role::Zeroed if is(".bss") => Contents::Zeroed(size),
                Role::Code | Role::Data | Role::Zeroed | Role::Extra | Role::Format => continue,
            };
            if size == 0 {
                continue;
            }
            if let Some(relocation) = section.relocations.first() {
                let place = format!("{}, byte {}", place(), relocation.offset);
                return Err(ObjectError::invalid(place, "addresses in data are not supported"));
            }
            let align = u32::try_from(section.align.max(1)).unwrap_or(1);
            let symbols = self.data_symbols(index, section.name)?;
            self.data.insert(index, self.object.globals.len());
            self.object.globals.push(DataSection { name: section.name.into(), contents, align, symbols });
        }
        Ok(())
    }

    fn data_symbols(&self, section: usize, name: &str) -> Result<Vec<DataSymbol>, ObjectError> {
        let types = self.variables(name);
        let mut symbols = Vec::new();
        for symbol in self.symbols_of(section, SymbolKind::Data) {
            let too_big = |_| ObjectError::invalid(format!("symbol `{}`", symbol.name), "past 2^32 bytes");
            let offset = u32::try_from(symbol.value).map_err(too_big)?;
            let size = u32::try_from(symbol.size).map_err(too_big)?;
            let btf = types.get(symbol.name).copied();
            symbols.push(DataSymbol { name: symbol.name.into(), offset, size, btf });
        }
        Ok(symbols)
    }

    fn custom(&mut self) {
        for section in &self.elf.sections {
            let other =
                [".BTF", ".debug", ".comment", ".note"].iter().any(|start| section.name.starts_with(start));
            if section.role == Role::Extra && !other {
                let (name, bytes) = (section.name.into(), section.data.to_vec());
                self.object.custom.push(CustomSection { name, bytes });
            }
        }
    }

    /// Finds the functions of all code sections by their symbols.
    fn find_functions(&mut self) -> Result<(), ObjectError> {
        let mut symbols: Vec<_> =
            self.elf.symbols.iter().filter(|symbol| symbol.kind == SymbolKind::Text).collect();
        symbols.sort_by_key(|symbol| (symbol.section, symbol.value));
        for (position, symbol) in symbols.iter().enumerate() {
            let Some(section) = symbol.section else { continue };
            let code = &self.elf.sections[section];
            if code.role != Role::Code {
                continue;
            }
            let next = symbols.get(position + 1).filter(|next| next.section == Some(section));
            let end = next.map_or(code.data.len() as u64, |next| next.value);
            let size = if symbol.size == 0 { end.saturating_sub(symbol.value) } else { symbol.size };
            let reach = symbol.value.checked_add(size).filter(|&reach| reach <= end && reach > symbol.value);
            if reach.is_none() || !size.is_multiple_of(SLOT as u64) {
                let what = format!(
                    "{size} bytes at byte {} of `{}`, which ends, or whose next function \
                     starts, at byte {end}",
                    symbol.value, code.name
                );
                return Err(ObjectError::invalid(format!("function `{}`", symbol.name), what));
            }
            let (offset, size) = (symbol.value as usize, size as usize);
            if code.name == ".text" {
                self.subprograms.insert(offset, self.subprograms.len());
            }
            self.functions.push(Found { name: symbol.name, section, offset, size });
        }
        Ok(())
    }

    fn functions(&mut self, ext: &BtfExt, strings: Option<StringTable<'_>>) -> Result<(), ObjectError> {
        let mut tables = HashMap::new();
        for info in &ext.sections {
            let mut lines: Vec<&LineInfo> = info.lines.iter().collect();
            lines.sort_by_key(|line| line.offset);
            let types: HashMap<u32, TypeId> = info.functions.iter().map(|f| (f.offset, f.ty)).collect();
            tables.insert(info.section.as_str(), (types, lines));
        }
        let mut relocations: Vec<Vec<&ElfReloc>> = Vec::new();
        for section in &self.elf.sections {
            let mut sorted: Vec<_> = section.relocations.iter().collect();
            sorted.sort_by_key(|relocation| relocation.offset);
            relocations.push(sorted);
        }
        for found in &self.functions {
            let section = &self.elf.sections[found.section];
            let mut function = self.function(found, &relocations[found.section])?;
            if let (Some((types, lines)), Some(strings)) = (tables.get(section.name), strings) {
                function.btf = types.get(&(found.offset as u32)).copied();
                function.lines = read_lines(&function, found, lines, strings)?;
            }
            if section.name == ".text" {
                self.object.subprograms.push(function);
            } else {
                self.object.programs.push(Program { section: section.name.into(), function });
            }
        }
        Ok(())
    }

    /// A function's code and relocations; `relocations` are the section's, by offset.
    fn function(&self, found: &Found<'_>, relocations: &[&ElfReloc]) -> Result<Function, ObjectError> {
        let section = &self.elf.sections[found.section];
        let range = found.offset..found.offset + found.size;
        let code = section.data[range.clone()].to_vec();
        let mut function = Function { name: found.name.into(), code, ..Function::default() };
        let first = relocations.partition_point(|relocation| relocation.offset < range.start as u64);
        let inside = |r: &&&ElfReloc| r.offset < range.end as u64;
        let mut relocations = relocations[first..].iter().take_while(inside).peekable();
        let mut at = 0;
        while at < function.code.len() {
            let shape = shape(&function.code, at)
                .ok_or_else(|| function.error(at as u64, "the code ends inside an instruction"))?;
            let here = relocations.next_if(|relocation| relocation.offset == (found.offset + at) as u64);
            let target = match (here, shape) {
                (Some(relocation), _) => Some(self.target(&function, at, shape, relocation)?),
                (None, Shape::Call(PSEUDO_CALL)) => Some(self.near_call(&function, found, at)?),
                (None, Shape::Call(_) | Shape::Load64(_) | Shape::Other) => None,
            };
            if let Some(target) = target {
                blank(&mut function.code, at, shape);
                function.relocations.push(Relocation { offset: at as u32, target });
            }
            at += if matches!(shape, Shape::Load64(_)) { 2 * SLOT } else { SLOT };
        }
        match relocations.next() {
            Some(left) => {
                let offset = left.offset - range.start as u64;
                Err(function.error(offset, "a relocation here is at no instruction"))
            }
            None => Ok(function),
        }
    }

    /// What a call without a relocation calls: clang resolves calls within a section itself.
    fn near_call(&self, function: &Function, found: &Found<'_>, at: usize) -> Result<Target, ObjectError> {
        let distance = (i64::from(immediate(&function.code, at)) + 1) * SLOT as i64;
        let target = (found.offset + at) as i64 + distance;
        self.subprogram(found.section, target)
            .map(Target::Subprogram)
            .ok_or_else(|| function.error(at as u64, "a call of something that is no function in .text"))
    }

    /// The subprogram at a byte offset of a section.
    fn subprogram(&self, section: usize, offset: i64) -> Option<usize> {
        let offset = usize::try_from(offset).ok()?;
        if self.elf.sections[section].name != ".text" {
            return None;
        }
        self.subprograms.get(&offset).copied()
    }

    fn target(
        &self,
        function: &Function,
        at: usize,
        shape: Shape,
        relocation: &ElfReloc,
    ) -> Result<Target, ObjectError> {
        let error = |what: String| function.error(at as u64, what);
        let symbol = &self.elf.symbols[relocation.symbol];
        let is_call = match (relocation.kind, shape) {
            (elf::R_BPF_64_32, Shape::Call(_)) => true,
            (elf::R_BPF_64_64, Shape::Load64(_)) => false,
            (kind, _) => {
                return Err(error(format!("relocation kind {} does not fit the instruction", kind.0)));
            }
        };
        let Some(section) = symbol.section else { return Ok(Target::Extern(symbol.name.into())) };
        let name = self.elf.sections[section].name;
        let addend = i64::from(immediate(&function.code, at));
        let value = i64::try_from(symbol.value).map_err(|_| error("the symbol is past 2^63 bytes".into()))?;
        let distance = if is_call { (addend + 1) * SLOT as i64 } else { addend };
        let place =
            value.checked_add(distance).ok_or_else(|| error("the symbol is past 2^63 bytes".into()))?;
        if is_call {
            let found = self.subprogram(section, place);
            return found
                .map(Target::Subprogram)
                .ok_or_else(|| error(format!("no function of .text is at byte {place} of `{name}`")));
        }
        if name == ".maps" {
            let found = u64::try_from(place).ok().and_then(|place| self.maps.get(&place));
            return found
                .map(|&map| Target::Map(map))
                .ok_or_else(|| error(format!("no map is at byte {place} of .maps")));
        }
        if let Some(&index) = self.data.get(&section) {
            let offset = u32::try_from(place)
                .map_err(|_| error(format!("byte {place} of `{name}` is outside of the section")))?;
            return Ok(Target::GlobalData { section: index, offset });
        }
        self.subprogram(section, place).map(Target::FunctionAddress).ok_or_else(|| {
            error(format!("byte {place} of `{name}` is no map, variable or function of .text"))
        })
    }
}

/// The lines of a function; `lines` are those of its section, by offset.
fn read_lines(
    function: &Function,
    found: &Found<'_>,
    lines: &[&LineInfo],
    strings: StringTable<'_>,
) -> Result<Vec<Line>, ObjectError> {
    let first = lines.partition_point(|line| (line.offset as usize) < found.offset);
    let mut out = Vec::new();
    for line in lines[first..].iter().take_while(|line| (line.offset as usize) < found.offset + found.size) {
        let offset = (line.offset as usize - found.offset) as u32;
        let string = |at| {
            let missing = || function.error(offset, format!("the line's string {at} is not there"));
            strings.get(at).map(str::to_owned).ok_or_else(missing)
        };
        let (file, text) = (string(line.file)?, string(line.text)?);
        let (line, column) = (line.line_column >> 10, line.line_column & 0x3ff);
        out.push(Line { offset, file, line, column, text });
    }
    Ok(out)
}

/// Reads a map's declaration: a structure whose members are its attributes.
fn read_map(btf: &Btf, name: &str, ty: TypeId) -> Result<MapSpec, ObjectError> {
    let error = |what: String| ObjectError::invalid(format!("map `{name}`"), what);
    let Some(Type::Struct { members, .. }) = btf.get(btf.resolve(ty)) else {
        return Err(error(format!("its type {ty} is no structure")));
    };
    let mut map = MapSpec::new(name, MapKind::Array, 0, Layout::None, Layout::None);
    let mut kind = None;
    for member in members {
        let Some(&Type::Pointer { target }) = btf.get(btf.resolve(member.ty)) else { continue };
        let number = match btf.get(btf.resolve(target)) {
            Some(&Type::Array { count, .. }) => Some(count),
            Some(_) | None => None,
        };
        match (member.name.as_str(), number) {
            ("type", Some(number)) => {
                let known = MapKind::from_number(number);
                kind = Some(known.ok_or_else(|| error(format!("there is no map of kind {number}")))?);
            }
            ("max_entries", Some(number)) => map.max_entries = number,
            ("map_flags", Some(number)) => map.flags = number,
            ("map_extra", Some(number)) => map.extra = number.into(),
            ("key_size", Some(number)) => map.key = Layout::Size(number),
            ("value_size", Some(number)) => map.value = Layout::Size(number),
            ("key", _) => map.key = Layout::Type(target),
            ("value", _) => map.value = Layout::Type(target),
            // Attributes for user space, such as pinning, and what is not a number where one is wanted.
            (_, _) => {}
        }
    }
    map.kind = kind.ok_or_else(|| error("its declaration has no `type`".into()))?;
    Ok(map)
}
