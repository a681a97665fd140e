//! Elements of channels, between what the user types and reads and their bytes in memory.

use larrow_ir::{Module, Type, TypeKind};

use super::args::number;
use super::error::CliError;

/// The element type of a module's channel.
pub(super) fn elem_type(module: &Module, chan: &str) -> Result<Type, CliError> {
    let chans = &module.decls.chans;
    let Some(id) = chans.id(chan) else {
        let names = chans.ids().map(|id| chans.name(id));
        return Err(
            CliError::usage(format!("there is no channel @{chan}")).tip(larrow_ir::nearest(chan, names))
        );
    };
    Ok(module.decls.types.chan_parts(chans[id].ty).map_or(Type::UNIT, |(elem, _)| elem))
}

/// Reads `CH=V,V…`.
pub(super) fn parse_send(module: &Module, text: &str) -> Result<(String, Vec<Vec<u8>>), CliError> {
    let Some((chan, values)) = text.split_once('=') else {
        let error = CliError::usage(format!("`--send {text}` names no values"));
        return Err(error.help("say `--send CH=V,V`, such as `--send ports=443,8080`"));
    };
    let chan = chan.strip_prefix('@').unwrap_or(chan);
    let elem = elem_type(module, chan)?;
    let values = values.split(',').map(str::trim).filter(|v| !v.is_empty());
    let values = values.map(|value| {
        parse(module, elem, value)
            .map_err(|why| CliError::usage(format!("`{value}` is no element of channel @{chan}: {why}")))
    });
    Ok((chan.to_string(), values.collect::<Result<_, _>>()?))
}

/// Reads one value of a type: the error says what it takes.
fn parse(module: &Module, ty: Type, text: &str) -> Result<Vec<u8>, String> {
    let types = &module.decls.types;
    let size = types.size(ty) as usize;
    if let Some(digits) = text.strip_prefix('x') {
        return hex(digits).filter(|b| b.len() == size).ok_or_else(|| format!("it takes {size} bytes"));
    }
    match types.resolve(ty) {
        TypeKind::Bool => match text {
            "true" | "1" => Ok(vec![1]),
            "false" | "0" => Ok(vec![0]),
            _ => Err("it takes true or false".into()),
        },
        TypeKind::Int { bits, signed } => {
            let value = number(text).map_err(|_| "it takes a number".to_string())?;
            let bits = u32::from(*bits);
            let (low, high) = if *signed {
                (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
            } else {
                (0, (1i128 << bits) - 1)
            };
            let exact = if text.starts_with('-') { i128::from(value as i64) } else { i128::from(value) };
            if !(low..=high).contains(&exact) {
                return Err(format!("it takes {low} to {high}"));
            }
            Ok(value.to_le_bytes()[..size].to_vec())
        }
        TypeKind::Float { bits: 32 } => {
            text.parse::<f32>().map(|f| f.to_le_bytes().to_vec()).map_err(|_| "it takes a number".into())
        }
        TypeKind::Float { .. } => {
            text.parse::<f64>().map(|f| f.to_le_bytes().to_vec()).map_err(|_| "it takes a number".into())
        }
        TypeKind::Unit
        | TypeKind::Ptr { .. }
        | TypeKind::Chan { .. }
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Func { .. }
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => {
            Err(format!("it takes {size} bytes as they lie in memory, such as `x0a00…`"))
        }
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| digits.as_bytes().chunks(2).map(pair).collect())?
}

/// A value as the user reads it; bytes where it is no scalar.
pub(super) fn show(module: &Module, ty: Type, bytes: &[u8]) -> String {
    let word = bytes.iter().rev().take(8).fold(0u64, |n, &byte| n << 8 | u64::from(byte));
    match module.decls.types.resolve(ty) {
        TypeKind::Bool => (word != 0).to_string(),
        TypeKind::Int { signed: false, .. } => word.to_string(),
        TypeKind::Int { bits, signed: true } => {
            let unused = 64 - u32::from(*bits).clamp(1, 64);
            ((word << unused).cast_signed() >> unused).to_string()
        }
        TypeKind::Float { bits: 32 } => f32::from_bits(word as u32).to_string(),
        TypeKind::Float { .. } => f64::from_bits(word).to_string(),
        TypeKind::Unit
        | TypeKind::Ptr { .. }
        | TypeKind::Chan { .. }
        | TypeKind::Array { .. }
        | TypeKind::Struct { .. }
        | TypeKind::Tuple(_)
        | TypeKind::Func { .. }
        | TypeKind::Named(_)
        | TypeKind::Opaque(_) => format!("x{}", hex_of(bytes)),
    }
}

/// Bytes as they lie in memory.
pub(super) fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Module {
        let text = "chan @a: chan i16 cap 4\nchan @b: chan bool cap 4\nchan @c: chan [3]u8 cap 4\n";
        larrow_ir::text::parse("c.ssa", text).unwrap().module
    }

    #[test]
    fn values_are_read_by_their_type_and_shown_as_they_were_written() {
        let module = module();
        for (text, shown) in [
            ("a=-1,32767,0x10", vec!["-1", "32767", "16"]),
            ("@b=true,0", vec!["true", "false"]),
            ("c=x010203", vec!["x010203"]),
            ("a=", vec![]),
        ] {
            let (chan, values) = parse_send(&module, text).unwrap();
            let ty = elem_type(&module, &chan).unwrap();
            let back: Vec<String> = values.iter().map(|v| show(&module, ty, v)).collect();
            assert_eq!(back, shown);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let module = module();
        for text in ["a=32768", "a=-32769", "a=x01", "b=2", "c=7", "a", "zz=1", "a=one", "c=x0102é"] {
            assert!(matches!(parse_send(&module, text), Err(CliError::Usage(_))), "{text}");
        }
    }
}
