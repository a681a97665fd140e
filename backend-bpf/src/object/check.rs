//! What must hold of an object before it is written, linked or loaded.

use std::collections::HashSet;

use super::slot::{PSEUDO_CALL, PSEUDO_FUNC, PSEUDO_KFUNC_CALL, SLOT, Shape, shape};
use super::{Contents, DataSection, Function, Object, ObjectError, Relocation, Target};
use crate::btf::Type;

impl Function {
    pub(super) fn error(&self, offset: impl Into<u64>, what: impl Into<String>) -> ObjectError {
        ObjectError::Code { function: self.name.clone(), offset: offset.into(), what: what.into() }
    }
}

impl Object {
    /// All functions: programs first, then subprograms.
    pub fn functions(&self) -> impl Iterator<Item = &Function> {
        self.programs.iter().map(|program| &program.function).chain(&self.subprograms)
    }

    /// Whether every index, offset and name makes sense. [`write()`](super::write()) and the loader check it themselves.
    ///
    /// # Errors
    /// The first thing that does not, with its place.
    pub fn check(&self) -> Result<(), ObjectError> {
        let mut names = HashSet::new();
        let functions = self.functions().map(|function| &function.name);
        let data = self.globals.iter().flat_map(|section| section.symbols.iter().map(|symbol| &symbol.name));
        for name in functions.chain(self.maps.iter().map(|map| &map.name)).chain(data) {
            check_name("a symbol", name)?;
            if !names.insert(name) {
                return Err(ObjectError::invalid(format!("symbol `{name}`"), "defined twice"));
            }
        }
        self.check_sections()?;
        self.functions().try_for_each(|function| self.check_function(function))
    }

    fn check_sections(&self) -> Result<(), ObjectError> {
        let mut names: HashSet<&str> = HashSet::from([".text", ".maps", "license", ".BTF", ".BTF.ext"]);
        for program in &self.programs {
            check_name("a program section", &program.section)?;
            if program.section.starts_with('.') || program.section == "license" {
                let what = "the name is that of a section for something else";
                return Err(ObjectError::invalid(format!("program section `{}`", program.section), what));
            }
        }
        names.extend(self.programs.iter().map(|program| program.section.as_str()));
        let custom = self.custom.iter().map(|section| section.name.as_str());
        for name in self.globals.iter().map(|section| section.name.as_str()).chain(custom) {
            check_name("a section", name)?;
            if !names.insert(name) {
                return Err(ObjectError::invalid(format!("section `{name}`"), "the name is taken"));
            }
        }
        self.globals.iter().try_for_each(check_data)
    }

    fn check_function(&self, function: &Function) -> Result<(), ObjectError> {
        if function.code.is_empty() || !function.code.len().is_multiple_of(SLOT) {
            let what = format!("{} bytes are no whole number of instructions", function.code.len());
            return Err(function.error(0u32, what));
        }
        if u32::try_from(function.code.len()).is_err() {
            return Err(function.error(0u32, "the code reaches 2^32 bytes"));
        }
        if let Some(id) = function.btf
            && !matches!(self.btf.get(id), Some(Type::Function { .. }))
        {
            return Err(function.error(0u32, format!("BTF type {id} is no function")));
        }
        let mut relocations = function.relocations.iter().peekable();
        let mut lines = function.lines.iter().peekable();
        let mut at = 0;
        while at < function.code.len() {
            let shape = shape(&function.code, at)
                .ok_or_else(|| function.error(at as u64, "the code ends inside an instruction"))?;
            let relocation = relocations.next_if(|relocation| relocation.offset as usize == at);
            self.check_instruction(function, at as u64, shape, relocation)?;
            lines.next_if(|line| line.offset as usize == at);
            at += if matches!(shape, Shape::Load64(_)) { 2 * SLOT } else { SLOT };
        }
        if let Some(line) = lines.next() {
            let what = "a line here is out of order, or at no instruction";
            return Err(function.error(line.offset, what));
        }
        match relocations.next() {
            Some(relocation) => {
                let what = "a relocation here is out of order, or at no instruction";
                Err(function.error(relocation.offset, what))
            }
            None => Ok(()),
        }
    }

    fn check_instruction(
        &self,
        function: &Function,
        at: u64,
        shape: Shape,
        relocation: Option<&Relocation>,
    ) -> Result<(), ObjectError> {
        let Some(relocation) = relocation else {
            return match shape {
                Shape::Call(PSEUDO_CALL) => {
                    Err(function.error(at, "a call of a function without a relocation"))
                }
                Shape::Call(PSEUDO_KFUNC_CALL) => {
                    Err(function.error(at, "a call of a kernel function without a relocation"))
                }
                Shape::Load64(PSEUDO_FUNC) => {
                    Err(function.error(at, "a function's address without a relocation"))
                }
                Shape::Call(_) | Shape::Load64(_) | Shape::Other => Ok(()),
            };
        };
        let (fits, exists) = match &relocation.target {
            Target::Map(map) => (matches!(shape, Shape::Load64(_)), *map < self.maps.len()),
            Target::Subprogram(callee) => (matches!(shape, Shape::Call(_)), *callee < self.subprograms.len()),
            Target::GlobalData { section, offset } => {
                let found = self.globals.get(*section);
                let inside = found.is_some_and(|section| (*offset as usize) < section.contents.size());
                (matches!(shape, Shape::Load64(_)), inside)
            }
            Target::FunctionAddress(callee) => {
                (matches!(shape, Shape::Load64(_)), *callee < self.subprograms.len())
            }
            Target::Extern(_) => (!matches!(shape, Shape::Other), true),
        };
        if !fits {
            let what = format!("this instruction cannot hold a relocation to {:?}", relocation.target);
            return Err(function.error(at, what));
        }
        if !exists {
            return Err(function.error(at, format!("there is no {:?}", relocation.target)));
        }
        Ok(())
    }
}

fn check_data(section: &DataSection) -> Result<(), ObjectError> {
    let error = |what: String| ObjectError::invalid(format!("section `{}`", section.name), what);
    let family = match section.contents {
        Contents::ReadOnly(_) => ".rodata",
        Contents::Data(_) => ".data",
        Contents::Zeroed(_) => ".bss",
    };
    let rest = section.name.strip_prefix(family);
    if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        return Err(error(format!("a section with such contents is named `{family}` or `{family}.x`")));
    }
    if !section.align.is_power_of_two() {
        return Err(error(format!("an alignment of {} is no power of two", section.align)));
    }
    let size = section.contents.size();
    if size == 0 || u32::try_from(size).is_err() {
        return Err(error(format!("a size of {size} bytes")));
    }
    let mut end = 0u64;
    for symbol in &section.symbols {
        if u64::from(symbol.offset) < end {
            return Err(error(format!("`{}` is out of order, or overlaps the one before", symbol.name)));
        }
        end = u64::from(symbol.offset) + u64::from(symbol.size);
        if end > size as u64 {
            return Err(error(format!("`{}` ends at byte {end} of {size}", symbol.name)));
        }
    }
    Ok(())
}

fn check_name(place: &str, name: &str) -> Result<(), ObjectError> {
    if name.is_empty() || name.contains('\0') {
        return Err(ObjectError::invalid(place, format!("{name:?} is no name")));
    }
    Ok(())
}
