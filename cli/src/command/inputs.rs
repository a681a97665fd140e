//! What programs are run on: from the arguments, from beside the example, and made up.

use larrow_interp::Prng;
use larrow_ir::{Module, Type, TypeKind};

use super::args::{InputArgs, TargetArgs};
use super::build::select_order;
use super::element::parse_send;
use super::error::CliError;
use super::input::{self, Input};
use crate::engine::Inputs;

/// The inputs that the arguments ask for.
pub(super) fn gather(input: &Input, args: &InputArgs, target: &TargetArgs) -> Result<Inputs, CliError> {
    let packet = match &args.packet {
        Some(path) => Some(input::read(path)?),
        None => input.packet(),
    };
    let sends = args.send.iter().map(|text| parse_send(&input.module, text));
    let strip = |name: &String| name.strip_prefix('@').unwrap_or(name).to_string();
    Ok(Inputs {
        packet,
        sends: sends.collect::<Result<_, _>>()?,
        closes: args.close.iter().map(strip).collect(),
        seed: args.seed,
        repeat: args.repeat,
        select_order: select_order(target),
        ..Inputs::default()
    })
}

/// Ethernet's header: the kernel takes no shorter packet.
const SHORTEST: usize = 14;
/// Bytes that a made-up packet may have more than the one it is made from.
const LONGER: usize = 64;

/// Inputs made up from a seed: the packet with some bytes changed and another length, elements for the channels,
/// sometimes more than fit, a channel closed now and then, one run or several.
pub(super) fn made_up(module: &Module, like: &Inputs, count: u32) -> Vec<Inputs> {
    let mut random = Prng::new(like.seed ^ 0x1a22_0e17);
    let mut below = |n: usize| random.next_u32() as usize % n.max(1);
    (0..count).map(|_| one(module, like, &mut below)).collect()
}

fn one(module: &Module, like: &Inputs, below: &mut impl FnMut(usize) -> usize) -> Inputs {
    let mut packet = like.packet.clone().unwrap_or_else(|| vec![0; 64]);
    for _ in 0..below(4) {
        let at = below(packet.len());
        if let Some(byte) = packet.get_mut(at) {
            *byte = below(256) as u8;
        }
    }
    if below(4) == 0 {
        let len = (SHORTEST + below((packet.len() + LONGER).saturating_sub(SHORTEST))).max(SHORTEST);
        packet.resize(len, 0);
    }
    let (mut sends, mut closes) = (Vec::new(), Vec::new());
    let decls = &module.decls;
    for (id, decl) in decls.chans.iter() {
        let name = decls.chans.name(id).to_string();
        let elem = decls.types.chan_parts(decl.ty).map_or(Type::UNIT, |(elem, _)| elem);
        let can_send = !has_address(module, elem) && decl.cap > 0;
        let most = usize::try_from(decl.cap.min(16)).unwrap_or(16) + 2;
        if can_send && below(3) > 0 {
            let count = below(most);
            sends.push((name.clone(), (0..count).map(|_| element(module, elem, &packet, below)).collect()));
        }
        if below(6) == 0 {
            closes.push(name);
        }
    }
    let repeat = 1 + below(4) as u32;
    Inputs { packet: Some(packet), sends, closes, repeat, ..like.clone() }
}

/// An element: often a small number or two bytes of the packet, which programs compare with.
fn element(module: &Module, ty: Type, packet: &[u8], below: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = vec![0; module.decls.types.size(ty) as usize];
    match below(3) {
        0 => bytes.iter_mut().for_each(|byte| *byte = below(256) as u8),
        1 => {
            let at = below(packet.len().saturating_sub(2));
            let pair = packet.get(at..at + 2).unwrap_or(&[0, 0]);
            bytes.iter_mut().zip([pair[1], pair[0]]).for_each(|(byte, from)| *byte = from);
        }
        _ => bytes.iter_mut().take(1).for_each(|byte| *byte = below(8) as u8),
    }
    clean_bools(module, ty, &mut bytes);
    bytes
}

/// A `bool` is 0 or 1, wherever it lies.
fn clean_bools(module: &Module, ty: Type, bytes: &mut [u8]) {
    let types = &module.decls.types;
    match types.resolve(ty) {
        TypeKind::Bool => bytes.iter_mut().for_each(|byte| *byte &= 1),
        TypeKind::Array { elem, .. } => {
            let size = (types.size(*elem) as usize).max(1);
            bytes.chunks_mut(size).for_each(|part| clean_bools(module, *elem, part));
        }
        TypeKind::Struct { fields, .. } => {
            for (field, offset) in fields.iter().zip(types.field_offsets(ty).unwrap_or_default()) {
                let (start, size) = (offset as usize, types.size(field.ty) as usize);
                clean_bools(module, field.ty, &mut bytes[start..start + size]);
            }
        }
        TypeKind::Unit
        | TypeKind::Int { .. }
        | TypeKind::Float { .. }
        | TypeKind::Ptr { .. }
        | TypeKind::Chan { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Func { .. }
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => {}
    }
}

/// Whether a value of the type holds an address, which cannot come from outside.
fn has_address(module: &Module, ty: Type) -> bool {
    match module.decls.types.resolve(ty) {
        TypeKind::Ptr { .. } | TypeKind::Chan { .. } | TypeKind::Func { .. } => true,
        TypeKind::Array { elem, .. } => has_address(module, *elem),
        TypeKind::Struct { fields, .. } => fields.iter().any(|f| has_address(module, f.ty)),
        TypeKind::Unit
        | TypeKind::Bool
        | TypeKind::Int { .. }
        | TypeKind::Float { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::interp;

    #[test]
    fn made_up_inputs_can_be_run_and_come_from_the_seed() {
        let source = include_str!("../../../examples/port_filter.ssa");
        let module = larrow_ir::text::parse("f.ssa", source).unwrap().module;
        let like = Inputs { seed: 7, ..Inputs::default() };
        let inputs = made_up(&module, &like, 50);
        assert_eq!(inputs, made_up(&module, &like, 50));
        assert!(inputs.iter().all(|i| i.packet.as_ref().is_some_and(|p| p.len() >= SHORTEST)));
        assert!(inputs.iter().any(|i| !i.closes.is_empty()));
        assert!(inputs.iter().any(|i| i.sends.iter().any(|(_, elements)| elements.len() > 8)));
        for inputs in &inputs {
            interp(&module, "filter", inputs).unwrap();
        }
    }
}
