//! One program with all it calls, as the kernel takes it.

use super::slot::{PSEUDO_CALL, PSEUDO_FUNC, SLOT, Shape, blank, set_immediate, set_src, shape};
use super::{Function, Line, Object, ObjectError, Relocation, Target};
use crate::btf::TypeId;

/// A program's code with the subprograms it needs behind it, calls resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The code. Calls between its functions are resolved; what [`relocations`](Self::relocations) name is blank.
    pub code: Vec<u8>,
    /// What is left to resolve, by offset: maps, global data, external symbols.
    pub relocations: Vec<Relocation>,
    /// The functions in the code, by offset; the program itself comes first.
    pub functions: Vec<Placed>,
    /// Source positions, by offset.
    pub lines: Vec<Line>,
}

/// A function's place in linked code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its name.
    pub name: String,
    /// Where it starts, in bytes.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
    /// Its BTF type, if it has one.
    pub btf: Option<TypeId>,
}

/// Links the `program`-th program of an object: appends every subprogram that can be reached from it, in the order
/// of their first mention, each once.
///
/// # Errors
/// What [`Object::check`] finds; a program index out of range; more code than a call can cross.
pub fn link(object: &Object, program: usize) -> Result<Linked, ObjectError> {
    object.check()?;
    link_checked(object, program)
}

/// As [`link`], for an object that has been checked.
pub(crate) fn link_checked(object: &Object, program: usize) -> Result<Linked, ObjectError> {
    let Some(program) = object.programs.get(program) else {
        let what = format!("the object has {} programs", object.programs.len());
        return Err(ObjectError::invalid(format!("program number {program}"), what));
    };
    let mut linker = Linker {
        out: Linked { code: Vec::new(), relocations: Vec::new(), functions: Vec::new(), lines: Vec::new() },
        places: vec![None; object.subprograms.len()],
        order: Vec::new(),
        calls: Vec::new(),
    };
    linker.place(&program.function)?;
    let mut next = 0;
    while let Some(&subprogram) = linker.order.get(next) {
        linker.places[subprogram] = Some(linker.out.code.len());
        linker.place(&object.subprograms[subprogram])?;
        next += 1;
    }
    linker.resolve()
}

struct Linker {
    out: Linked,
    /// Where each subprogram starts, once placed; `usize::MAX` while it waits.
    places: Vec<Option<usize>>,
    /// Subprograms in the order of their first mention.
    order: Vec<usize>,
    /// Instructions that name a subprogram: byte offset and subprogram.
    calls: Vec<(usize, usize)>,
}

impl Linker {
    fn place(&mut self, function: &Function) -> Result<(), ObjectError> {
        let base = self.out.code.len();
        let end = u32::try_from(base + function.code.len())
            .map_err(|_| function.error(0u32, "the linked program reaches 2^32 bytes"))?;
        let base32 = end - function.code.len() as u32;
        self.out.code.extend_from_slice(&function.code);
        self.out.functions.push(Placed {
            name: function.name.clone(),
            offset: base32,
            size: end - base32,
            btf: function.btf,
        });
        let moved = |line: &Line| Line { offset: base32 + line.offset, ..line.clone() };
        self.out.lines.extend(function.lines.iter().map(moved));
        for relocation in &function.relocations {
            let at = base + relocation.offset as usize;
            if let Some(shape) = shape(&self.out.code, at) {
                blank(&mut self.out.code, at, shape);
            }
            match &relocation.target {
                Target::Subprogram(callee) | Target::FunctionAddress(callee) => self.mention(at, *callee),
                Target::Map(_) | Target::GlobalData { .. } | Target::Extern(_) => {
                    let offset = base32 + relocation.offset;
                    self.out.relocations.push(Relocation { offset, target: relocation.target.clone() });
                }
            }
        }
        Ok(())
    }

    fn mention(&mut self, at: usize, subprogram: usize) {
        self.calls.push((at, subprogram));
        if self.places[subprogram].is_none() {
            self.places[subprogram] = Some(usize::MAX);
            self.order.push(subprogram);
        }
    }

    /// Fills in distances, counted in slots from the instruction after the one that holds them.
    fn resolve(mut self) -> Result<Linked, ObjectError> {
        for (at, subprogram) in self.calls {
            let target = self.places[subprogram].expect("every mentioned subprogram has been placed");
            let distance = (target as i64 - at as i64) / SLOT as i64 - 1;
            let distance = i32::try_from(distance).map_err(|_| {
                ObjectError::invalid("the linked program", "a call is too far from its target")
            })?;
            let is_call = matches!(shape(&self.out.code, at), Some(Shape::Call(_)));
            set_src(&mut self.out.code, at, if is_call { PSEUDO_CALL } else { PSEUDO_FUNC });
            set_immediate(&mut self.out.code, at, distance);
        }
        Ok(self.out)
    }
}
