//! An ELF file as plain tables: what the reader needs of it, in Rust's own types.

use object::elf;
use object::read::elf::ElfFile64;
use object::{Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags};
use object::{RelocationTarget, SectionFlags, SectionIndex, SymbolKind, SymbolSection};

use super::ObjectError;

/// A section.
pub(super) struct ElfSection<'a> {
    pub(super) name: &'a str,
    pub(super) data: &'a [u8],
    /// In memory, which is more than `data` for sections of zeroes.
    pub(super) size: u64,
    pub(super) align: u64,
    pub(super) role: Role,
    pub(super) relocations: Vec<ElfReloc>,
}

/// What a section is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Instructions.
    Code,
    /// Loaded, and not code.
    Data,
    /// Loaded, zero, without bytes in the file.
    Zeroed,
    /// Not loaded.
    Extra,
    /// The format's own: symbols, strings, relocations.
    Format,
}

/// A symbol.
pub(super) struct ElfSymbol<'a> {
    pub(super) name: &'a str,
    pub(super) value: u64,
    pub(super) size: u64,
    pub(super) kind: SymbolKind,
    /// Index of its section in [`Elf::sections`]; none if it is defined elsewhere, or nowhere.
    pub(super) section: Option<usize>,
}

/// A relocation.
pub(super) struct ElfReloc {
    pub(super) offset: u64,
    pub(super) kind: elf::RelocationType,
    /// Index of its symbol in [`Elf::symbols`].
    pub(super) symbol: usize,
}

/// A BPF ELF file.
pub(super) struct Elf<'a> {
    pub(super) sections: Vec<ElfSection<'a>>,
    pub(super) symbols: Vec<ElfSymbol<'a>>,
}

impl<'a> Elf<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ObjectError> {
        let header = |what: String| ObjectError::invalid("the ELF header", what);
        let file = ElfFile64::<Endianness>::parse(bytes).map_err(|error| header(error.to_string()))?;
        if file.endian() != Endianness::Little {
            return Err(header("the file is big-endian; only little-endian BPF is supported".into()));
        }
        let machine = file.elf_header().e_machine.get(Endianness::Little);
        if machine != elf::EM_BPF {
            return Err(header(format!("the machine is {}, not BPF ({})", machine.0, elf::EM_BPF.0)));
        }
        // The format counts sections and symbols from 1 (0 is none), and the iterators leave 0 out; a table keeps the
        // format's number for each, so that nothing depends on that.
        let mut sections = Vec::new();
        let mut section_places = Vec::new();
        for section in file.sections() {
            place(&mut section_places, section.index().0, sections.len());
            sections.push(read_section(&section)?);
        }
        let at = |index: SectionIndex| section_places.get(index.0).copied().flatten();
        let mut symbols = Vec::new();
        let mut symbol_places = Vec::new();
        for symbol in file.symbols() {
            let number = symbol.index().0;
            place(&mut symbol_places, number, symbols.len());
            let error = |error: object::read::Error| {
                ObjectError::invalid(format!("symbol number {number}"), error.to_string())
            };
            let section = match symbol.section() {
                SymbolSection::Section(index) => at(index),
                _ => None,
            };
            let (value, size, kind) = (symbol.address(), symbol.size(), symbol.kind());
            symbols.push(ElfSymbol { name: symbol.name().map_err(error)?, value, size, kind, section });
        }
        for (section, out) in file.sections().zip(&mut sections) {
            for (offset, relocation) in section.relocations() {
                let symbol = match relocation.target() {
                    RelocationTarget::Symbol(index) => symbol_places.get(index.0).copied().flatten(),
                    _ => None,
                };
                let (Some(symbol), RelocationFlags::Elf { r_type: kind }) = (symbol, relocation.flags())
                else {
                    let place = format!("section `{}`, byte {offset}", out.name);
                    return Err(ObjectError::invalid(place, "the relocation names no symbol"));
                };
                out.relocations.push(ElfReloc { offset, kind, symbol });
            }
        }
        Ok(Self { sections, symbols })
    }

    /// Index of the section called `name`.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.sections.iter().position(|section| section.name == name)
    }
}

/// Notes that the format's `number` is at `place` in our table.
fn place(places: &mut Vec<Option<usize>>, number: usize, place: usize) {
    if places.len() <= number {
        places.resize(number + 1, None);
    }
    places[number] = Some(place);
}

fn read_section<'a>(
    section: &object::read::elf::ElfSection64<'a, '_, Endianness>,
) -> Result<ElfSection<'a>, ObjectError> {
    let number = section.index().0;
    let error = |error: object::read::Error| {
        ObjectError::invalid(format!("section number {number}"), error.to_string())
    };
    let name = section.name().map_err(error)?;
    let role = match section.flags() {
        SectionFlags::Elf { sh_type: elf::SHT_PROGBITS, sh_flags } => {
            if sh_flags.0 & elf::SHF_EXECINSTR.0 != 0 {
                Role::Code
            } else if sh_flags.0 & elf::SHF_ALLOC.0 != 0 {
                Role::Data
            } else {
                Role::Extra
            }
        }
        SectionFlags::Elf { sh_type: elf::SHT_NOBITS, .. } => Role::Zeroed,
        _ => Role::Format,
    };
    let located =
        |error: object::read::Error| ObjectError::invalid(format!("section `{name}`"), error.to_string());
    let data = section.data().map_err(located)?;
    let (size, align) = (section.size(), section.align());
    Ok(ElfSection { name, data, size, align, role, relocations: Vec::new() })
}
