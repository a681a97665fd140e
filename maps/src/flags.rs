//! Flags of map creation and of updates, as in `linux/bpf.h`.

use crate::error::MapError;

/// Hash: allocate elements one by one instead of all at creation.
pub const BPF_F_NO_PREALLOC: u32 = 1 << 0;
/// LRU: one list per CPU. Accepted; eviction here stays global.
pub const BPF_F_NO_COMMON_LRU: u32 = 1 << 1;
/// Allocate on a given NUMA node. Accepted, without effect here.
pub const BPF_F_NUMA_NODE: u32 = 1 << 2;
/// User space may only read.
pub const BPF_F_RDONLY: u32 = 1 << 3;
/// User space may only write.
pub const BPF_F_WRONLY: u32 = 1 << 4;
/// Hash: a zero seed. Accepted; the hash here is always the same.
pub const BPF_F_ZERO_SEED: u32 = 1 << 6;
/// Programs may only read.
pub const BPF_F_RDONLY_PROG: u32 = 1 << 7;
/// Programs may only write.
pub const BPF_F_WRONLY_PROG: u32 = 1 << 8;
/// Array: user space may map the values into its memory.
pub const BPF_F_MMAPABLE: u32 = 1 << 10;
/// Array: `max_entries` may differ from the template of the outer map. Accepted, without effect here.
pub const BPF_F_INNER_MAP: u32 = 1 << 12;

/// Update: create or overwrite.
pub const BPF_ANY: u64 = 0;
/// Update: only create.
pub const BPF_NOEXIST: u64 = 1;
/// Update: only overwrite. For a push: drop the oldest element if full.
pub const BPF_EXIST: u64 = 2;
/// Update or lookup under the value's `bpf_spin_lock`. No value here has one, so it is always refused.
pub const BPF_F_LOCK: u64 = 4;

/// The flags of an update, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpdateFlags {
    bits: u64,
}

impl UpdateFlags {
    /// Checks raw flags as the kernel's map code does first of all: at most one of [`BPF_NOEXIST`] and
    /// [`BPF_EXIST`], with or without [`BPF_F_LOCK`].
    ///
    /// # Errors
    /// [`MapError::BadFlags`] for anything else.
    pub fn from_bits(bits: u64) -> Result<UpdateFlags, MapError> {
        if bits & !BPF_F_LOCK > BPF_EXIST {
            return Err(MapError::BadFlags { flags: bits });
        }
        Ok(UpdateFlags { bits })
    }

    /// The raw flags.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.bits
    }

    /// Only create.
    #[must_use]
    pub fn must_create(self) -> bool {
        self.bits & BPF_NOEXIST != 0
    }

    /// Only overwrite.
    #[must_use]
    pub fn must_exist(self) -> bool {
        self.bits & BPF_EXIST != 0
    }

    /// Refuses [`BPF_F_LOCK`]. Apart from [`UpdateFlags::from_bits`], as the kernel does it at a different
    /// moment for each kind of map.
    pub(crate) fn refuse_lock(self) -> Result<(), MapError> {
        if self.bits & BPF_F_LOCK != 0 { Err(MapError::BadFlags { flags: self.bits }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_flags_are_checked() {
        for good in [0, 1, 2, 4, 5, 6] {
            assert_eq!(UpdateFlags::from_bits(good).map(UpdateFlags::bits), Ok(good));
        }
        for bad in [3, 7, 8, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
            assert_eq!(UpdateFlags::from_bits(bad).map_err(|e| e.errno()), Err(22), "{bad:#x}");
        }
    }
}
