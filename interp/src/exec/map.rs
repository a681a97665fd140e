//! Maps.

use larrow_maps::{Map, MapError};

use crate::code::{Inst, KeyedOp, QueueOp};
use crate::run::Interp;
use crate::trap::{Fallible, TrapKind, fault};
use crate::value::{Ptr, Region, RegionKind, Val};

use super::Flow;

/// What a map call answers: 0, or minus an error number.
fn answer(result: Result<(), MapError>) -> Val {
    Val::Int(result.map_or_else(|error| i64::from(-error.errno()) as u64, |()| 0))
}

fn undeclared<T>() -> Fallible<T> {
    fault(TrapKind::Malformed, "uses a map that is not declared")
}

/// Bytes of a key and of a value.
fn sizes(map: &Map) -> (usize, usize) {
    (map.def().key_size as usize, map.def().value_size as usize)
}

impl Interp<'_> {
    /// A lookup, an update or a delete. The key and the value go through buffers that live on.
    pub(super) fn keyed(&mut self, op: KeyedOp, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let number = inst.imm as usize;
        let Some(map) = self.memory.maps.get_mut(number) else { return undeclared() };
        let (key_size, value_size) = sizes(map);
        self.key.clear();
        self.memory.read_plain(regs[inst.a as usize].ptr(), key_size, &mut self.key)?;
        if op == KeyedOp::Update {
            self.value.clear();
            self.memory.read_plain(regs[inst.b as usize].ptr(), value_size, &mut self.value)?;
        }
        let cpu = self.env.cpu();
        let Some(map) = self.memory.maps.get_mut(number) else { return undeclared() };
        regs[inst.dst as usize] = match op {
            KeyedOp::Update => answer(map.update(&self.key, &self.value, u64::from(inst.c), cpu)),
            KeyedOp::Delete => answer(map.delete(&self.key)),
            KeyedOp::Lookup => match map.lookup(&self.key, cpu) {
                Ok(Some(id)) => {
                    let region = Region { kind: RegionKind::Map, tag: number as u16, index: id.index() };
                    Val::Ptr(Ptr { region, offset: 0 })
                }
                Ok(None) => Val::Nil,
                Err(error) => return fault(TrapKind::Unsupported, error.to_string()),
            },
        };
        Ok(None)
    }

    /// A push, a pop or a peek. What a pop or a peek of an empty map leaves in memory is the map's answer: zeros.
    pub(super) fn queue(&mut self, op: QueueOp, inst: &Inst, regs: &mut [Val]) -> Fallible<Flow> {
        let (number, at) = (inst.imm as usize, regs[inst.a as usize].ptr());
        let Some(map) = self.memory.maps.get_mut(number) else { return undeclared() };
        let (_, size) = sizes(map);
        self.value.clear();
        if op == QueueOp::Push {
            self.memory.read_plain(at, size, &mut self.value)?;
        } else {
            self.value.resize(size, 0);
        }
        let Some(map) = self.memory.maps.get_mut(number) else { return undeclared() };
        let result = match op {
            QueueOp::Push => map.push(&self.value, u64::from(inst.c)),
            QueueOp::Pop => map.pop(&mut self.value),
            QueueOp::Peek => map.peek(&mut self.value),
        };
        if op != QueueOp::Push {
            self.memory.write_plain(at, &self.value)?;
        }
        regs[inst.dst as usize] = answer(result);
        Ok(None)
    }
}
