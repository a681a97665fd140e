//! An object into the kernel: what libbpf does with one.

use std::os::fd::{AsFd, AsRawFd};

use indexmap::IndexMap;

use super::map::MapTypes;
use super::program::{LoadRequest, Tables};
use super::{KernelError, LoadedBtf, LogLevel, Map, Program, UpdateMode};
use crate::btf::{Strings, TypeId};
use crate::object::{
    Contents, DataSection, Layout, Linked, MapKind, MapSpec, Object, PSEUDO_MAP_FD, PSEUDO_MAP_VALUE,
    ProgramSection, SLOT, Target, complete, line_record, link_checked, read, set_immediate, set_src,
};

/// What is asked of the verifier's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOptions {
    /// The log of programs that load, kept in [`Program::log`].
    pub log: LogLevel,
    /// The log of a program that is rejected, in the error.
    pub failure_log: LogLevel,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { log: LogLevel::Statistics, failure_log: LogLevel::FailingPath }
    }
}

/// An object whose maps and programs are in the kernel.
#[derive(Debug)]
pub struct LoadedObject {
    /// The maps by name, in the object's order, then the data sections (`.bss`, …), as arrays of one value.
    pub maps: IndexMap<String, Map>,
    /// The programs by name, in the object's order.
    pub programs: IndexMap<String, Program>,
}

impl LoadedObject {
    /// Creates the object's maps and loads its programs.
    ///
    /// # Errors
    /// What [`Object::check`] finds; a section of unknown kind; what the kernel or its verifier refuses.
    pub fn load(object: &Object) -> Result<Self, KernelError> {
        Self::load_with(object, LoadOptions::default())
    }

    /// Loads an ELF file's contents.
    ///
    /// # Errors
    /// As [`load`](Self::load); a malformed file.
    pub fn load_bytes(bytes: &[u8]) -> Result<Self, KernelError> {
        Self::load(&read(bytes)?)
    }

    /// As [`load`](Self::load), with a say in the verifier's log.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with(object: &Object, options: LoadOptions) -> Result<Self, KernelError> {
        if object.core_relocations > 0 {
            let what = format!(
                "the object has {} CO-RE relocations, which this loader does not apply",
                object.core_relocations
            );
            return Err(KernelError::Unsupported { what });
        }
        object.check()?;
        let (object, _) = complete(object)?;
        let mut loader = Loader::new(&object)?;
        for spec in &object.maps {
            let map = Map::create(spec, &object.btf, Some(&loader.btf))?;
            loader.maps.push(map);
        }
        for section in &object.globals {
            let map = loader.data(section)?;
            loader.data.push(map);
        }
        let mut programs = IndexMap::new();
        for index in 0..object.programs.len() {
            let program = loader.program(index, options)?;
            programs.insert(program.name().to_owned(), program);
        }
        let maps = loader.maps.into_iter().chain(loader.data).map(|map| (map.name().to_owned(), map));
        Ok(Self { maps: maps.collect(), programs })
    }

    /// The map or data section called `name`.
    pub fn map(&self, name: &str) -> Option<&Map> {
        self.maps.get(name)
    }

    /// The program called `name`.
    pub fn program(&self, name: &str) -> Option<&Program> {
        self.programs.get(name)
    }
}

struct Loader<'a> {
    object: &'a Object,
    btf: LoadedBtf,
    strings: Strings,
    maps: Vec<Map>,
    data: Vec<Map>,
}

impl<'a> Loader<'a> {
    /// Loads the types, with the strings of every line in their table.
    fn new(object: &'a Object) -> Result<Self, KernelError> {
        let mut strings = Strings::new();
        for line in object.functions().flat_map(|function| &function.lines) {
            line_record(line, 0, &mut strings);
        }
        let bytes = object.btf.to_bytes_with(&mut strings).map_err(crate::object::ObjectError::from)?;
        let btf = LoadedBtf::load(&bytes)?;
        Ok(Self { object, btf, strings, maps: Vec::new(), data: Vec::new() })
    }

    /// Makes a data section's map: an array of one value, filled, and frozen if it is read-only.
    fn data(&self, section: &DataSection) -> Result<Map, KernelError> {
        let access = match section.contents {
            Contents::ReadOnly(_) => MapSpec::RDONLY_PROG,
            Contents::Data(_) | Contents::Zeroed(_) => 0,
        };
        // The kernel counts in 32 bits, which the check has made sure of.
        let size = section.contents.size() as u32;
        let spec = MapSpec::new(&section.name, MapKind::Array, 1, Layout::Size(4), Layout::Size(size))
            .with_flags(access | MapSpec::MMAPABLE);
        let types = self.object.btf.data_section(&section.name);
        let types = types.map(|id| MapTypes { btf: &self.btf, key: TypeId::VOID.0, value: id.0 });
        let map = Map::create_sized(&spec, (4, size), types)?;
        match &section.contents {
            Contents::ReadOnly(bytes) => {
                map.update(&[0; 4], bytes, UpdateMode::Any)?;
                map.freeze()?;
            }
            Contents::Data(bytes) => map.update(&[0; 4], bytes, UpdateMode::Any)?,
            Contents::Zeroed(_) => {}
        }
        Ok(map)
    }

    fn program(&mut self, index: usize, options: LoadOptions) -> Result<Program, KernelError> {
        let program = &self.object.programs[index];
        let name = &program.function.name;
        let section = ProgramSection::parse(&program.section).ok_or_else(|| KernelError::UnknownSection {
            program: name.clone(),
            section: program.section.clone(),
            known: ProgramSection::known().collect::<Vec<_>>().join(", "),
        })?;
        let mut linked = link_checked(self.object, index)?;
        self.relocate(name, &mut linked)?;
        let (functions, lines) = self.tables(&linked);
        let request = LoadRequest {
            name,
            kind: section.kind,
            attach: section.attach,
            license: &self.object.license,
            code: &linked.code,
            tables: Some(Tables { btf: &self.btf, functions, lines }),
        };
        Program::load(&request, options.log, options.failure_log)
    }

    /// Puts descriptors of maps into the code.
    fn relocate(&self, program: &str, linked: &mut Linked) -> Result<(), KernelError> {
        for relocation in &linked.relocations {
            let at = relocation.offset as usize;
            let (map, src, offset) = match &relocation.target {
                Target::Map(map) => (&self.maps[*map], PSEUDO_MAP_FD, 0),
                Target::GlobalData { section, offset } => (&self.data[*section], PSEUDO_MAP_VALUE, *offset),
                Target::Extern(name) => {
                    let what = format!(
                        "program `{program}` needs `{name}` from the kernel, which this loader does not resolve"
                    );
                    return Err(KernelError::Unsupported { what });
                }
                Target::Subprogram(_) | Target::FunctionAddress(_) => continue,
            };
            set_src(&mut linked.code, at, src);
            set_immediate(&mut linked.code, at, map.as_fd().as_raw_fd());
            set_immediate(&mut linked.code, at + SLOT, offset.cast_signed());
        }
        Ok(())
    }

    /// The function and line records of linked code, counted in instructions.
    fn tables(&mut self, linked: &Linked) -> (Vec<u8>, Vec<u8>) {
        let slot = SLOT as u32;
        let mut functions = Vec::new();
        for placed in &linked.functions {
            push(&mut functions, &[placed.offset / slot, placed.btf.unwrap_or_default().0]);
        }
        let mut lines = Vec::new();
        for line in &linked.lines {
            let record = line_record(line, 0, &mut self.strings);
            push(&mut lines, &[record.offset / slot, record.file, record.text, record.line_column]);
        }
        (functions, lines)
    }
}

fn push(out: &mut Vec<u8>, words: &[u32]) {
    out.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
}
