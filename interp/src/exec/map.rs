//! Maps.

use larrow_maps::MapError;

use crate::code::{Inst, Kind, QueueOp};
use crate::run::Interp;
use crate::trap::{Fallible, TrapKind, fault};
use crate::value::{Ptr, Region, RegionKind, Val};

use super::Flow;

/// What a map call answers: 0, or minus an error number.
fn answer(result: Result<(), MapError>) -> Val {
    Val::Int(result.map_or_else(|error| i64::from(-error.errno()) as u64, |()| 0))
}

impl Interp<'_> {
    pub(super) fn map_op(&mut self, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let number = inst.imm as usize;
        let Some(map) = self.memory.maps.get(number) else {
            return fault(TrapKind::Malformed, "uses a map that is not declared");
        };
        let (key_size, value_size) = (map.def().key_size as usize, map.def().value_size as usize);
        let cpu = self.env.cpu();
        let flags = u64::from(inst.c);
        let mut key = std::mem::take(&mut self.key);
        let mut value = std::mem::take(&mut self.value);
        key.clear();
        value.clear();
        let done =
            self.map_call(inst, regs, number, (key_size, value_size), cpu, flags, (&mut key, &mut value));
        (self.key, self.value) = (key, value);
        regs[inst.dst as usize] = done?;
        Ok(None)
    }

    fn map_call(
        &mut self,
        inst: &Inst,
        regs: &[Val],
        number: usize,
        (key_size, value_size): (usize, usize),
        cpu: u32,
        flags: u64,
        (key, value): (&mut Vec<u8>, &mut Vec<u8>),
    ) -> Fallible<Val> {
        let a = regs[inst.a as usize].ptr();
        if let Kind::MapValueIo(op) = inst.kind {
            return self.queue_call(op, number, a, value_size, flags, value);
        }
        self.memory.read_plain(a, key_size, key)?;
        if inst.kind == Kind::MapUpdate {
            self.memory.read_plain(regs[inst.b as usize].ptr(), value_size, value)?;
        }
        let Some(map) = self.memory.maps.get_mut(number) else {
            return fault(TrapKind::Malformed, "uses a map that is not declared");
        };
        match inst.kind {
            Kind::MapUpdate => Ok(answer(map.update(key, value, flags, cpu))),
            Kind::MapDelete => Ok(answer(map.delete(key))),
            _ => match map.lookup(key, cpu) {
                Ok(Some(id)) => {
                    let region = Region { kind: RegionKind::Map, tag: number as u16, index: id.index() };
                    Ok(Val::Ptr(Ptr { region, offset: 0 }))
                }
                Ok(None) => Ok(Val::Nil),
                Err(error) => fault(TrapKind::Unsupported, error.to_string()),
            },
        }
    }

    fn queue_call(
        &mut self,
        op: QueueOp,
        number: usize,
        at: Ptr,
        size: usize,
        flags: u64,
        value: &mut Vec<u8>,
    ) -> Fallible<Val> {
        if op == QueueOp::Push {
            self.memory.read_plain(at, size, value)?;
        } else {
            value.resize(size, 0);
        }
        let Some(map) = self.memory.maps.get_mut(number) else {
            return fault(TrapKind::Malformed, "uses a map that is not declared");
        };
        let result = match op {
            QueueOp::Push => map.push(value, flags),
            QueueOp::Pop => map.pop(value),
            QueueOp::Peek => map.peek(value),
        };
        if op != QueueOp::Push {
            self.memory.write_plain(at, value)?;
        }
        Ok(answer(result))
    }
}
