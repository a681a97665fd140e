//! Calls out of the module's functions: through pointers, to intrinsics, to helpers; and what panics print.

use std::rc::Rc;

use cranelift_entity::EntityRef;

use crate::code::{Code, Inst, Print};
use crate::env::CtxValue;
use crate::run::Interp;
use crate::trap::{Fallible, TrapKind, fault};
use crate::value::{Ptr, RegionKind, Repr, Val, Vals};

use super::arith::signed;
use super::{Flow, Stop};

/// The call behind a function pointer.
pub(super) fn indirect(code: &Code, inst: &Inst, regs: &[Val]) -> Fallible<Stop> {
    let callee = code.operands(inst).first().map_or(Val::Nil, |&r| regs[r as usize]);
    match callee {
        Val::Func(callee) => Ok(Stop::Call { callee, first: inst.a + 1, count: inst.b - 1, dst: inst.dst }),
        Val::Nil => fault(TrapKind::Nil, "calls a nil function"),
        Val::Unit | Val::Int(_) | Val::Ptr(_) | Val::Chan(_) => {
            fault(TrapKind::Provenance, "calls something that is no function")
        }
    }
}

impl Interp<'_> {
    pub(super) fn intrinsic(&mut self, code: &Code, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let reference = &code.intrinsics[inst.imm as usize];
        let Some(eval) = self.intrinsics.get(reference.id.index()).and_then(Clone::clone) else {
            let name = self.module.decls.intrinsics.name(reference.id);
            return fault(TrapKind::Unsupported, format!("nothing evaluates the intrinsic @{name}"));
        };
        let eval: Rc<_> = eval;
        let args: Vals = code.operands(inst).iter().map(|&r| regs[r as usize]).collect();
        let val = eval(&args).or_else(|message| fault(TrapKind::Unsupported, message))?;
        match reference.result[..] {
            [] => {}
            [repr] if repr.admits(val) => regs[inst.dst as usize] = val,
            _ => {
                let name = self.module.decls.intrinsics.name(reference.id);
                return fault(
                    TrapKind::Malformed,
                    format!("the intrinsic @{name} yields no value of its result type"),
                );
            }
        }
        Ok(None)
    }

    pub(super) fn helper(&mut self, code: &Code, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let helper = &code.helpers[inst.imm as usize];
        let args: Vals = code.operands(inst).iter().map(|&r| regs[r as usize]).collect();
        let val = self.env.helper(&helper.name, &args).or_else(|m| fault(TrapKind::Unsupported, m))?;
        if helper.result == Repr::None {
            return Ok(None);
        }
        let Some(val) = fit(helper.result, val) else {
            let name = &helper.name;
            return fault(TrapKind::Malformed, format!("helper `{name}` yields no value of its result type"));
        };
        regs[inst.dst as usize] = val;
        Ok(None)
    }

    pub(super) fn ctx_load(&mut self, code: &Code, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let field = &code.fields[inst.imm as usize];
        if regs[inst.a as usize].ptr().region.kind != RegionKind::Ctx {
            return fault(TrapKind::Nil, "reads a field through something that is no context");
        }
        let packet = self.packet;
        let end = self.memory.bytes(packet).len();
        let at = |offset: usize| Val::Ptr(Ptr { region: packet, offset: offset as i64 });
        let val = match self.env.ctx_field(&field.ctx, &field.field) {
            Some(CtxValue::Int(bits)) => Val::Int(bits),
            Some(CtxValue::PacketStart) => at(0),
            Some(CtxValue::PacketEnd) => at(end),
            Some(CtxValue::PacketLen) => Val::Int(end as u64),
            None => {
                let (ctx, field) = (&field.ctx, &field.field);
                return fault(
                    TrapKind::Unsupported,
                    format!("the environment has no field `{field}` of `{ctx}`"),
                );
            }
        };
        let Some(val) = fit(field.repr, val) else {
            let name = &field.field;
            return fault(
                TrapKind::Malformed,
                format!("field `{name}` has no value of the type it is read as"),
            );
        };
        regs[inst.dst as usize] = val;
        Ok(None)
    }
}

/// A value from outside as one of a type: numbers lose the bits above its width.
fn fit(repr: Repr, val: Val) -> Option<Val> {
    let val = match (repr, val) {
        (Repr::Num(bytes), Val::Int(bits)) => Val::Int(bits & (u64::MAX >> (64 - 8 * u32::from(bytes)))),
        (Repr::Num(_) | Repr::None | Repr::Bool | Repr::Ref, val) => val,
    };
    repr.admits(val).then_some(val)
}

/// A value as Go's `panic` prints it.
pub(super) fn print(print: Print, val: Val) -> String {
    let bits = val.bits();
    match print {
        Print::Bool => (bits != 0).to_string(),
        Print::Signed(width) => signed(bits, width).to_string(),
        Print::Unsigned => bits.to_string(),
        Print::Float(32) => print_float(f64::from(f32::from_bits(bits as u32))),
        Print::Float(_) => print_float(f64::from_bits(bits)),
        Print::Pointer if val == Val::Nil => "nil".to_string(),
        Print::Pointer => format!("pointer into {}", val.ptr().region.kind.name()),
    }
}

/// Go's `print` of a float: a sign, one digit, six decimals, an exponent of three digits at least.
fn print_float(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_string();
    }
    let sign = if x.is_sign_negative() { '-' } else { '+' };
    if x.is_infinite() {
        return format!("{sign}Inf");
    }
    let digits = format!("{:.6e}", x.abs());
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}e{exponent_sign}{:03}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_print_as_go_does() {
        assert_eq!(print(Print::Signed(8), Val::Int(0xff)), "-1");
        assert_eq!(print(Print::Unsigned, Val::Int(255)), "255");
        assert_eq!(print(Print::Bool, Val::Int(1)), "true");
        assert_eq!(print(Print::Float(64), Val::Int(1.5f64.to_bits())), "+1.500000e+000");
        assert_eq!(print(Print::Float(64), Val::Int((-2e-7f64).to_bits())), "-2.000000e-007");
        assert_eq!(print(Print::Float(64), Val::Int(f64::NEG_INFINITY.to_bits())), "-Inf");
        assert_eq!(print(Print::Pointer, Val::Nil), "nil");
    }
}
