//! An object to an ELF file.
//!
//! The form is the one that bpftool, libbpf 1.7, aya 0.14 and cilium/ebpf all load: programs are global function
//! symbols with their exact size, calls and function addresses go through the symbol of `.text` itself, map and data
//! addresses through global object symbols, relocations carry no addends, and every function has its type and lines.

use std::collections::HashMap;

use object::write::{Relocation as ElfRelocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, elf};
use object::{SymbolKind, SymbolScope};

use super::declare::complete;
use super::slot::{PSEUDO_CALL, SLOT, blank, set_immediate, set_src, shape};
use super::{Contents, DataSection, Function, Line, Object, ObjectError, Relocation, Target};
use crate::btf::Strings;
use crate::btf::ext::{BtfExt, FuncInfo, LineInfo, SectionInfo, pack_line_column};

/// The object as an ELF file.
///
/// # Errors
/// What [`Object::check`] finds, names that BTF does not take, and [`Target::Extern`].
pub fn write(object: &Object) -> Result<Vec<u8>, ObjectError> {
    object.check()?;
    let (object, map_sizes) = complete(object)?;
    let mut writer = Writer {
        object: &object,
        elf: object::write::Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little),
        maps: Vec::new(),
        data: Vec::new(),
        text: None,
        places: Vec::new(),
        strings: Strings::new(),
        ext: BtfExt::default(),
    };
    writer.license();
    writer.maps(&map_sizes);
    writer.data();
    writer.functions()?;
    for custom in &object.custom {
        let id = writer.section(&custom.name, SectionKind::Other);
        writer.elf.append_section_data(id, &custom.bytes, 1);
    }
    writer.types()?;
    writer.elf.write().map_err(|error| ObjectError::invalid("the ELF file", error.to_string()))
}

struct Writer<'a> {
    object: &'a Object,
    elf: object::write::Object<'a>,
    /// Symbols of the maps.
    maps: Vec<SymbolId>,
    /// Sections of global data and the symbols in them.
    data: Vec<(SectionId, Vec<SymbolId>)>,
    /// `.text`, if there are subprograms.
    text: Option<SectionId>,
    /// Offsets of the subprograms in `.text`.
    places: Vec<u32>,
    strings: Strings,
    ext: BtfExt,
}

impl Writer<'_> {
    fn section(&mut self, name: &str, kind: SectionKind) -> SectionId {
        self.elf.add_section(Vec::new(), name.into(), kind)
    }

    /// A global symbol. Its scope is `Dynamic`: any other would make it hidden, and libbpf would then treat the
    /// function as static.
    fn symbol(
        &mut self,
        name: &str,
        kind: SymbolKind,
        section: SectionId,
        value: u64,
        size: u64,
    ) -> SymbolId {
        self.elf.add_symbol(Symbol {
            name: name.into(),
            value,
            size,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    fn license(&mut self) {
        let mut text = self.object.license.split('\0').next().unwrap_or_default().as_bytes().to_vec();
        text.push(0);
        let id = self.section("license", SectionKind::Data);
        self.elf.append_section_data(id, &text, 1);
        self.symbol("_license", SymbolKind::Data, id, 0, text.len() as u64);
    }

    fn maps(&mut self, sizes: &[u32]) {
        if self.object.maps.is_empty() {
            return;
        }
        let id = self.section(".maps", SectionKind::Data);
        for (map, &size) in self.object.maps.iter().zip(sizes) {
            let offset = self.elf.append_section_data(id, &vec![0; size as usize], 8);
            let symbol = self.symbol(&map.name, SymbolKind::Data, id, offset, size.into());
            self.maps.push(symbol);
        }
    }

    fn data(&mut self) {
        for section in &self.object.globals {
            let align = section.align.into();
            let id = match &section.contents {
                Contents::ReadOnly(bytes) => {
                    let id = self.section(&section.name, SectionKind::ReadOnlyData);
                    self.elf.append_section_data(id, bytes, align);
                    id
                }
                Contents::Data(bytes) => {
                    let id = self.section(&section.name, SectionKind::Data);
                    self.elf.append_section_data(id, bytes, align);
                    id
                }
                Contents::Zeroed(size) => {
                    let id = self.section(&section.name, SectionKind::UninitializedData);
                    self.elf.append_section_bss(id, (*size).into(), align);
                    id
                }
            };
            let symbols = section.symbols.iter().map(|symbol| {
                let (offset, size) = (symbol.offset.into(), symbol.size.into());
                self.symbol(&symbol.name, SymbolKind::Data, id, offset, size)
            });
            let symbols = symbols.collect();
            self.data.push((id, symbols));
        }
    }

    /// Writes the code, subprograms last but placed first, for the programs' calls hold their offsets.
    fn functions(&mut self) -> Result<(), ObjectError> {
        if !self.object.subprograms.is_empty() {
            self.text = Some(self.section(".text", SectionKind::Text));
            let mut offset = 0usize;
            for function in &self.object.subprograms {
                let too_big = |_| function.error(0u32, ".text reaches 2^32 bytes");
                self.places.push(u32::try_from(offset).map_err(too_big)?);
                offset += function.code.len();
            }
        }
        let mut sections: HashMap<&str, (SectionId, usize)> = HashMap::new();
        let programs =
            self.object.programs.iter().map(|program| (program.section.as_str(), &program.function));
        let subprograms = self.object.subprograms.iter().map(|function| (".text", function));
        for (name, function) in programs.chain(subprograms) {
            let (id, info) = match (sections.get(name), self.text) {
                (Some(&found), _) => found,
                (None, text) => {
                    let made = text.filter(|_| name == ".text");
                    let id = made.unwrap_or_else(|| self.section(name, SectionKind::Text));
                    let (functions, lines) = (Vec::new(), Vec::new());
                    self.ext.sections.push(SectionInfo { section: name.into(), functions, lines });
                    let entry = (id, self.ext.sections.len() - 1);
                    sections.insert(name, entry);
                    entry
                }
            };
            let offset = self.function(id, function)?;
            let ty = function.btf.unwrap_or_default();
            self.ext.sections[info].functions.push(FuncInfo { offset, ty });
            let lines = self.lines(function, offset);
            self.ext.sections[info].lines.extend(lines);
        }
        Ok(())
    }

    /// Appends a function to its section; gives its offset there.
    fn function(&mut self, section: SectionId, function: &Function) -> Result<u32, ObjectError> {
        let mut code = function.code.clone();
        let base = self.elf.section(section).data().len() as u64;
        let too_big = |_| function.error(0u32, "the section reaches 2^32 bytes");
        let base32 = u32::try_from(base).map_err(too_big)?;
        for relocation in &function.relocations {
            let (symbol, r_type) = self.relocate(function, &mut code, relocation)?;
            let relocation = ElfRelocation {
                offset: base + u64::from(relocation.offset),
                symbol,
                // The format has no addends; the writer would put them over the opcode.
                addend: 0,
                flags: RelocationFlags::Elf { r_type },
            };
            self.elf
                .add_relocation(section, relocation)
                .map_err(|error| function.error(base, error.to_string()))?;
        }
        let offset = self.elf.append_section_data(section, &code, SLOT as u64);
        self.symbol(&function.name, SymbolKind::Text, section, offset, code.len() as u64);
        Ok(base32)
    }

    /// Fills in what the file holds at a relocation, and says which symbol and kind the relocation has.
    fn relocate(
        &mut self,
        function: &Function,
        code: &mut [u8],
        relocation: &Relocation,
    ) -> Result<(SymbolId, elf::RelocationType), ObjectError> {
        let at = relocation.offset as usize;
        if let Some(shape) = shape(code, at) {
            blank(code, at, shape);
        }
        let text = |writer: &mut Self, subprogram: usize| {
            let section = writer.text.expect("a checked object that names a subprogram has one");
            (writer.elf.section_symbol(section), writer.places[subprogram].cast_signed())
        };
        match &relocation.target {
            Target::Map(map) => Ok((self.maps[*map], elf::R_BPF_64_64)),
            Target::Subprogram(subprogram) => {
                let (symbol, place) = text(self, *subprogram);
                set_src(code, at, PSEUDO_CALL);
                set_immediate(code, at, place / SLOT as i32 - 1);
                Ok((symbol, elf::R_BPF_64_32))
            }
            Target::FunctionAddress(subprogram) => {
                let (symbol, place) = text(self, *subprogram);
                set_immediate(code, at, place);
                Ok((symbol, elf::R_BPF_64_64))
            }
            Target::GlobalData { section, offset } => {
                let (symbol, rest) = self.data_symbol(*section, *offset);
                set_immediate(code, at, rest.cast_signed());
                Ok((symbol, elf::R_BPF_64_64))
            }
            Target::Extern(name) => {
                let what = format!("`{name}` is defined outside, which the writer has no form for");
                Err(function.error(relocation.offset, what))
            }
        }
    }

    /// The variable that holds a place in a data section, and the distance from its start; the section itself for
    /// places in no variable.
    fn data_symbol(&mut self, section: usize, offset: u32) -> (SymbolId, u32) {
        let symbols = &self.object.globals[section].symbols;
        let after = symbols.partition_point(|symbol| symbol.offset <= offset);
        if let Some(index) = after.checked_sub(1) {
            let symbol = &symbols[index];
            if offset - symbol.offset < symbol.size {
                return (self.data[section].1[index], offset - symbol.offset);
            }
        }
        (self.elf.section_symbol(self.data[section].0), offset)
    }

    /// The line records of a function that starts at `base`.
    fn lines(&mut self, function: &Function, base: u32) -> Vec<LineInfo> {
        let strings = &mut self.strings;
        function.lines.iter().map(|line| line_record(line, base, strings)).collect()
    }

    fn types(&mut self) -> Result<(), ObjectError> {
        let ext = self.ext.to_bytes(&mut self.strings);
        let types = self.object.btf.to_bytes_with(&mut self.strings)?;
        let mut tables = vec![(".BTF", types)];
        if !self.ext.sections.is_empty() {
            tables.push((".BTF.ext", ext));
        }
        for (name, bytes) in tables {
            let id = self.section(name, SectionKind::Other);
            self.elf.append_section_data(id, &bytes, 4);
        }
        Ok(())
    }
}

/// The record of a line of a function that starts at `base`, both in bytes.
pub(crate) fn line_record(line: &Line, base: u32, strings: &mut Strings) -> LineInfo {
    let (file, text) = (strings.intern(clip(&line.file)), strings.intern(clip(&line.text)));
    LineInfo { offset: base + line.offset, file, text, line_column: pack_line_column(line.line, line.column) }
}

/// A source line's first kilobyte: more helps nobody who reads the verifier's log.
fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(1024)]
}

impl DataSection {
    /// A section without variables yet.
    pub fn new(name: &str, contents: Contents, align: u32) -> Self {
        Self { name: name.into(), contents, align, symbols: Vec::new() }
    }
}
