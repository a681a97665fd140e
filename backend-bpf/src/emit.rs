//! From compiled functions to an object: code with relocations and lines, maps, data, types.

use std::fmt::Write;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use larrow_ir::{FuncId, GlobalId, GlobalSection, MapId, MapKind, Module, Pos, Type, TypeKind, align_up};
use larrow_passes::lower::SITES_MAP;

use crate::btf::{self, Btf, IntEncoding, Linkage, Member, Parameter, TypeId};
use crate::compile::{CompiledFunc, CompiledModule};
use crate::isa;
use crate::mach::Symbol;
use crate::object::{
    Contents, CustomSection, DataSection, DataSymbol, Function, Layout, Line, MapKind as ObjectMapKind,
    MapSpec, Object, Program, Relocation, Target,
};

/// What cannot be put into an object.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EmitError {
    /// A map is both looked up and addressed inside its value; an object can say either of a map, not both.
    #[error("map `{map}` is looked up and also addressed directly: bind it one way in the whole module")]
    MixedAccess {
        /// The map.
        map: String,
    },
    /// A program section's entry is called by another function.
    #[error("`@{name}` is a program and cannot be called: call a subprogram that both share")]
    CalledProgram {
        /// The program.
        name: String,
    },
    /// Data or code passes what the format counts with 32 bits.
    #[error("{what} is larger than 4 GiB")]
    TooLarge {
        /// Which section or function.
        what: String,
    },
}

/// Makes an object of a compiled module. `source` is the text of the module's source file, for the lines that the
/// verifier's log shows; without it the log shows which IR instruction the code is for.
///
/// # Errors
/// What the object format has no place for.
pub fn emit(compiled: &CompiledModule, source: Option<&str>) -> Result<Object, EmitError> {
    let module = &compiled.module;
    let mut object = Object { license: "GPL".into(), ..Object::default() };
    object.custom.extend(site_table(module));
    let mut types = Types::default();
    let direct = directly_addressed(compiled)?;
    let maps = emit_maps(module, &direct, &mut object, &mut types);
    let globals = emit_globals(module, &mut object, &mut types)?;
    let values = emit_values(module, &direct, &mut object, &mut types)?;
    let lines: Vec<&str> = source.map(|s| s.lines().collect()).unwrap_or_default();
    let mut subprograms = IndexMap::new();
    for func in compiled.funcs.iter().filter(|f| f.section.is_none()) {
        subprograms.insert(func.id, subprograms.len());
    }
    let mut emitter = Emitter { module, maps, values, globals, subprograms, lines, types };
    for func in &compiled.funcs {
        let function = emitter.function(func, &mut object.btf)?;
        match &func.section {
            Some(section) => object.programs.push(Program { section: section.to_string(), function }),
            None => object.subprograms.push(function),
        }
    }
    Ok(object)
}

/// A name as BTF and the loaders take it.
fn c_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '.' { c } else { '_' }).collect()
}

/// The maps that code addresses inside their value, without a look-up.
fn directly_addressed(compiled: &CompiledModule) -> Result<IndexSet<MapId>, EmitError> {
    let symbols = || compiled.funcs.iter().flat_map(|f| &f.code.relocs).map(|r| r.symbol);
    let direct: IndexSet<MapId> = symbols()
        .filter_map(|symbol| match symbol {
            Symbol::MapValue(id, _) => Some(id),
            Symbol::Map(_) | Symbol::Global(_) | Symbol::Func(_) | Symbol::Call(_) => None,
        })
        .collect();
    let mixed = symbols().find_map(|symbol| match symbol {
        Symbol::Map(id) if direct.contains(&id) => Some(id),
        _ => None,
    });
    match mixed {
        Some(id) => Err(EmitError::MixedAccess { map: compiled.module.decls.maps.name(id).to_string() }),
        None => Ok(direct),
    }
}

/// The section that names the records of the site map.
pub const SITES_SECTION: &str = ".larrow.sites";

/// The table that tells user space what each record of the site map counts: a line per site with its number, kind,
/// name and channel (`-` if it is not one known to the compiler), tabs between. Loaders pass it over.
fn site_table(module: &Module) -> Option<CustomSection> {
    module.decls.maps.id(SITES_MAP)?;
    let mut table = String::new();
    for (id, site) in &module.decls.sites {
        let chan = site.chan.map_or("-", |c| module.decls.chans.name(c));
        writeln!(table, "{}\t{}\t{}\t{chan}", id.as_u32(), site.kind.name(), site.name)
            .expect("strings grow");
    }
    Some(CustomSection { name: SITES_SECTION.into(), bytes: table.into_bytes() })
}

/// Objects relocate addresses inside values for data sections only; so such a map becomes one, `.data.NAME`, which
/// loaders make a one-element array of. It stands in the object as zeros: libbpf 1.1 does not take `.bss.NAME`.
fn emit_values(
    module: &Module,
    direct: &IndexSet<MapId>,
    object: &mut Object,
    types: &mut Types,
) -> Result<IndexMap<MapId, usize>, EmitError> {
    let mut indices = IndexMap::new();
    for &id in direct {
        let (map, name) = (&module.decls.maps[id], c_name(module.decls.maps.name(id)));
        let section = format!(".data.{name}");
        let size = u32::try_from(module.decls.types.size(map.value));
        let size = size.map_err(|_| EmitError::TooLarge { what: section.clone() })?;
        let btf = Some(types.get(module, &mut object.btf, map.value));
        indices.insert(id, object.globals.len());
        object.globals.push(DataSection {
            name: section,
            contents: Contents::Data(vec![0; size as usize]),
            align: 8,
            symbols: vec![DataSymbol { name, offset: 0, size, btf }],
        });
    }
    Ok(indices)
}

fn emit_maps(
    module: &Module,
    direct: &IndexSet<MapId>,
    object: &mut Object,
    types: &mut Types,
) -> IndexMap<MapId, usize> {
    let mut indices = IndexMap::new();
    for (id, map) in module.decls.maps.iter().filter(|(id, _)| !direct.contains(id)) {
        let kind = match map.kind {
            MapKind::Array => ObjectMapKind::Array,
            MapKind::PercpuArray => ObjectMapKind::PercpuArray,
            MapKind::Hash => ObjectMapKind::Hash,
            MapKind::PercpuHash => ObjectMapKind::PercpuHash,
            MapKind::LruHash => ObjectMapKind::LruHash,
            MapKind::LruPercpuHash => ObjectMapKind::LruPercpuHash,
            MapKind::Queue => ObjectMapKind::Queue,
            MapKind::Stack => ObjectMapKind::Stack,
        };
        // Queues and stacks take sizes only.
        let size = |ty| Layout::Size(u32::try_from(module.decls.types.size(ty)).unwrap_or(u32::MAX));
        let (key, value) = if map.kind.is_keyed() {
            let key = Layout::Type(types.get(module, &mut object.btf, map.key));
            (key, Layout::Type(types.get(module, &mut object.btf, map.value)))
        } else {
            (Layout::None, size(map.value))
        };
        let name = c_name(module.decls.maps.name(id));
        indices.insert(id, object.maps.len());
        object.maps.push(MapSpec::new(&name, kind, map.max_entries, key, value).with_flags(map.flags));
    }
    indices
}

/// Lays the variables out, a section per kind, and says where each lies.
fn emit_globals(
    module: &Module,
    object: &mut Object,
    types: &mut Types,
) -> Result<IndexMap<GlobalId, (usize, u32)>, EmitError> {
    let mut places = IndexMap::new();
    for (section, _) in GlobalSection::ALL {
        let name = format!(".{}", section.name());
        let too_large = || EmitError::TooLarge { what: name.clone() };
        let (mut end, mut align, mut bytes, mut symbols) = (0u64, 1u64, Vec::new(), Vec::new());
        for (id, global) in module.decls.globals.iter().filter(|(_, g)| g.section == section) {
            let Some(layout) = module.decls.types.layout(global.ty) else { continue };
            let offset = align_up(end, layout.align);
            end = offset.saturating_add(layout.size);
            align = align.max(layout.align);
            let at = u32::try_from(offset).map_err(|_| too_large())?;
            let size = u32::try_from(layout.size).map_err(|_| too_large())?;
            if section != GlobalSection::Bss {
                bytes.resize(at as usize, 0);
                bytes.extend_from_slice(&global.init);
                bytes.resize(at as usize + size as usize, 0);
            }
            places.insert(id, (object.globals.len(), at));
            let btf = Some(types.get(module, &mut object.btf, global.ty));
            symbols.push(DataSymbol { name: c_name(module.decls.globals.name(id)), offset: at, size, btf });
        }
        if symbols.is_empty() {
            continue;
        }
        let contents = match section {
            GlobalSection::Rodata => Contents::ReadOnly(bytes),
            GlobalSection::Data => Contents::Data(bytes),
            GlobalSection::Bss => Contents::Zeroed(u32::try_from(end).map_err(|_| too_large())?),
        };
        let align = u32::try_from(align).map_err(|_| too_large())?;
        object.globals.push(DataSection { name, contents, align, symbols });
    }
    Ok(places)
}

struct Emitter<'a> {
    module: &'a Module,
    maps: IndexMap<MapId, usize>,
    /// Maps whose value is addressed directly: data sections of their own.
    values: IndexMap<MapId, usize>,
    globals: IndexMap<GlobalId, (usize, u32)>,
    subprograms: IndexMap<FuncId, usize>,
    lines: Vec<&'a str>,
    types: Types,
}

impl Emitter<'_> {
    fn function(&mut self, func: &CompiledFunc, btf: &mut Btf) -> Result<Function, EmitError> {
        let mut code = Vec::with_capacity(func.code.insts.len() * isa::SLOT_BYTES);
        isa::encode(&func.code.insts, &mut code);
        let name = c_name(&func.name);
        if u32::try_from(code.len()).is_err() {
            return Err(EmitError::TooLarge { what: name });
        }
        let relocations = func.code.relocs.iter().map(|reloc| {
            let target = self.target(reloc.symbol)?;
            Ok(Relocation { offset: reloc.slot * 8, target })
        });
        let relocations = relocations.collect::<Result<Vec<_>, EmitError>>()?;
        let ty = self.function_type(func, &name, btf);
        Ok(Function { lines: self.function_lines(func), name, code, relocations, btf: Some(ty) })
    }

    fn target(&self, symbol: Symbol) -> Result<Target, EmitError> {
        Ok(match symbol {
            Symbol::Map(id) => Target::Map(self.maps[&id]),
            Symbol::Global(id) => {
                let (section, offset) = self.globals[&id];
                Target::GlobalData { section, offset }
            }
            Symbol::Call(id) => Target::Subprogram(self.subprogram(id)?),
            Symbol::Func(id) => Target::FunctionAddress(self.subprogram(id)?),
            Symbol::MapValue(id, offset) => Target::GlobalData { section: self.values[&id], offset },
        })
    }

    fn subprogram(&self, id: FuncId) -> Result<usize, EmitError> {
        let missing = || EmitError::CalledProgram { name: self.module.funcs.name(id).to_string() };
        self.subprograms.get(&id).copied().ok_or_else(missing)
    }

    fn function_type(&mut self, func: &CompiledFunc, name: &str, btf: &mut Btf) -> TypeId {
        let ir = &self.module.funcs[func.id];
        let linkage = if func.section.is_some() { Linkage::Global } else { Linkage::Static };
        let result = match ir.result {
            Type::UNIT if func.section.is_some() => self.types.get(self.module, btf, Type::I32),
            Type::UNIT => TypeId::VOID,
            ty => self.types.get(self.module, btf, ty),
        };
        let parameters = ir.params.iter().map(|&p| {
            let ty = self.types.get(self.module, btf, ir.ty(p));
            Parameter::new(&p.to_string(), ty)
        });
        let parameters = parameters.collect();
        btf.function(name, linkage, result, parameters)
    }

    /// The lines of a function: at its first instruction in any case, as the format wants it.
    fn function_lines(&self, func: &CompiledFunc) -> Vec<Line> {
        let ir = &self.module.funcs[func.id];
        let mut out: Vec<Line> = Vec::with_capacity(func.code.lines.len() + 1);
        for line in &func.code.lines {
            let pos = match self.module.decls.outermost(line.pos) {
                Pos::None => self.module.decls.outermost(ir.pos),
                pos => pos,
            };
            let located = self.module.decls.locate(pos);
            let (file, row, column) = located.unwrap_or_else(|| (self.module.decls.file.clone(), 0, 0));
            let text = match self.source_line(&file, row) {
                Some(text) => text.to_string(),
                None => line.value.expand().map_or_else(
                    || format!("@{}", func.name),
                    |v| format!("@{} {v} = {}", func.name, ir.inst(v).op),
                ),
            };
            let next = Line { offset: line.slot * 8, file: file.to_string(), line: row, column, text };
            let same = |last: &Line| {
                (last.line, last.column, &last.text, &last.file) == (row, column, &next.text, &next.file)
            };
            if !out.last().is_some_and(same) {
                out.push(next);
            }
        }
        out
    }

    fn source_line(&self, file: &Arc<str>, row: u32) -> Option<&str> {
        let index = usize::try_from(row).ok()?.checked_sub(1)?;
        (*file == self.module.decls.file).then(|| self.lines.get(index).map(|l| l.trim()))?
    }
}

/// The BTF of IR types, each made once.
#[derive(Default)]
struct Types(IndexMap<Type, TypeId>);

/// Adds an IR type to BTF: numbers by name and width, structs with their fields, pointers as `void *`.
pub fn btf_type(module: &Module, btf: &mut Btf, ty: Type) -> TypeId {
    Types::default().get(module, btf, ty)
}

impl Types {
    fn get(&mut self, module: &Module, btf: &mut Btf, ty: Type) -> TypeId {
        if let Some(&id) = self.0.get(&ty) {
            return id;
        }
        let id = self.make(module, btf, ty);
        self.0.insert(ty, id);
        id
    }

    fn make(&mut self, module: &Module, btf: &mut Btf, ty: Type) -> TypeId {
        let types = &module.decls.types;
        match types.resolve(ty).clone() {
            TypeKind::Bool => btf.int("bool", 1, IntEncoding::Bool),
            TypeKind::Int { bits, signed } => {
                let encoding = if signed { IntEncoding::Signed } else { IntEncoding::Unsigned };
                btf.int(&format!("{}{bits}", if signed { 'i' } else { 'u' }), bits / 8, encoding)
            }
            TypeKind::Float { bits } => {
                btf.add(btf::Type::Float { name: format!("f{bits}"), size: u32::from(bits) / 8 })
            }
            TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => btf.pointer(TypeId::VOID),
            TypeKind::Array { elem, len } => {
                let elem = self.get(module, btf, elem);
                btf.array(elem, u32::try_from(len).unwrap_or(u32::MAX))
            }
            TypeKind::Struct { fields, .. } => {
                let offsets = types.field_offsets(ty).unwrap_or_default();
                let members = fields.iter().zip(offsets).map(|(field, offset)| {
                    let ty = self.get(module, btf, field.ty);
                    Member::new(&c_name(&field.name), ty, u32::try_from(offset).unwrap_or(u32::MAX))
                });
                let members = members.collect();
                let name = match types.kind(ty) {
                    TypeKind::Named(id) => c_name(&types.named()[*id].name),
                    _ => String::new(),
                };
                let size = u32::try_from(types.size(ty)).unwrap_or(u32::MAX);
                btf.add(btf::Type::Struct { name, size, members })
            }
            TypeKind::Unit | TypeKind::Tuple(_) | TypeKind::Named(_) | TypeKind::Opaque(_) => TypeId::VOID,
        }
    }
}
