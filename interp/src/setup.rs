//! A module's declarations, made ready to run.

use cranelift_entity::EntityRef;
use larrow_ir::{GlobalSection, Module};
use larrow_maps::{MapDef, MapSet};

use crate::memory::Memory;
use crate::outside::InterpError;
use crate::trap::Fallible;
use crate::value::{Region, RegionKind};

/// Makes the maps; the second part is the number of each by its id.
pub(crate) fn make_maps(module: &Module, cpus: u32) -> Result<(MapSet, Vec<u16>), InterpError> {
    let decls = &module.decls;
    let mut set = MapSet::default();
    let mut numbers = vec![u16::MAX; decls.maps.num_ids()];
    for (id, decl) in decls.maps.iter() {
        let size = |ty| u32::try_from(decls.types.size(ty)).unwrap_or(u32::MAX);
        let def = MapDef {
            name: decls.maps.name(id).to_string(),
            kind: kind_of(decl.kind),
            key_size: size(decl.key),
            value_size: size(decl.value),
            max_entries: decl.max_entries,
            flags: decl.flags,
        };
        let number = set.add(def, cpus)?;
        numbers[id.index()] =
            u16::try_from(number).map_err(|_| InterpError::TooManyMaps(decls.maps.count()))?;
    }
    Ok((set, numbers))
}

fn kind_of(kind: larrow_ir::MapKind) -> larrow_maps::MapKind {
    match kind {
        larrow_ir::MapKind::Array => larrow_maps::MapKind::Array,
        larrow_ir::MapKind::PercpuArray => larrow_maps::MapKind::PercpuArray,
        larrow_ir::MapKind::Hash => larrow_maps::MapKind::Hash,
        larrow_ir::MapKind::PercpuHash => larrow_maps::MapKind::PercpuHash,
        larrow_ir::MapKind::LruHash => larrow_maps::MapKind::LruHash,
        larrow_ir::MapKind::LruPercpuHash => larrow_maps::MapKind::LruPercpuHash,
        larrow_ir::MapKind::Queue => larrow_maps::MapKind::Queue,
        larrow_ir::MapKind::Stack => larrow_maps::MapKind::Stack,
    }
}

/// Makes the variables, by id; one that was removed is nothing.
pub(crate) fn make_globals(module: &Module, memory: &mut Memory) -> Fallible<Vec<Region>> {
    let decls = &module.decls;
    let mut regions = vec![Region::NULL; decls.globals.num_ids()];
    for (id, decl) in decls.globals.iter() {
        let size = decls.types.size(decl.ty);
        let region = memory.place(RegionKind::Global, size, true)?;
        if decl.init.len() as u64 == size {
            memory.set_bytes(region, &decl.init);
        }
        if decl.section == GlobalSection::Rodata {
            memory.protect(region);
        }
        regions[id.index()] = region;
    }
    Ok(regions)
}
