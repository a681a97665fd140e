//! A map's definition and the kernel's rules for it.

use crate::error::{DefError, DefProblem};
use crate::flags::*;
use crate::kind::MapKind;

/// What `BPF_MAP_CREATE` is given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapDef {
    /// Its name, unique in a [`MapSet`](crate::MapSet).
    pub name: String,
    /// Its kind.
    pub kind: MapKind,
    /// Bytes of a key: 4 for arrays, 0 for queues and stacks.
    pub key_size: u32,
    /// Bytes of a value (of one CPU's value, for the per-CPU kinds).
    pub value_size: u32,
    /// How many elements fit.
    pub max_entries: u32,
    /// `BPF_F_*` of creation.
    pub flags: u32,
}

/// `KMALLOC_MAX_SIZE` on x86-64 and arm64: the largest queue value, and the bound of a hash element.
const KMALLOC_MAX: u64 = 1 << 22;
/// The kernel's own part of a hash element (`struct htab_elem`).
const HASH_ELEMENT_HEADER: u64 = 48;
/// `PCPU_MIN_UNIT_SIZE`: the largest per-CPU value, rounded up to 8.
const PERCPU_MAX: u64 = 32 << 10;
/// A hash has a power of two of buckets, of 16 bytes each, in less than 4 GiB.
const HASH_MAX_ENTRIES: u32 = 1 << 27;

impl MapDef {
    /// Checks the definition against the kernel's rules.
    ///
    /// # Errors
    /// The first of [`MapDef::problems`].
    pub fn validate(&self) -> Result<(), DefError> {
        self.problems().into_iter().next().map_or(Ok(()), |problem| Err(self.error(problem)))
    }

    /// All rules of the kernel that the definition breaks, the one it would report first being first.
    #[must_use]
    pub fn problems(&self) -> Vec<DefProblem> {
        let mut problems = Vec::new();
        self.check_flags(&mut problems);
        self.check_sizes(&mut problems);
        self.check_limits(&mut problems);
        problems
    }

    pub(crate) fn error(&self, problem: DefProblem) -> DefError {
        DefError { map: self.name.clone(), problem }
    }

    fn check_flags(&self, problems: &mut Vec<DefProblem>) {
        let kind = self.kind;
        let mut unknown = self.flags & !kind.accepted_flags();
        if kind.is_lru() && unknown & BPF_F_NO_PREALLOC != 0 {
            unknown &= !BPF_F_NO_PREALLOC;
            problems.push(DefProblem::LruNoPrealloc { kind });
        }
        if unknown != 0 {
            problems.push(DefProblem::UnknownFlags { kind, flags: unknown });
        }
        for both in [BPF_F_RDONLY | BPF_F_WRONLY, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG] {
            if self.flags & both == both {
                problems.push(DefProblem::NoAccess { flags: both });
            }
        }
    }

    fn check_sizes(&self, problems: &mut Vec<DefProblem>) {
        let (kind, got) = (self.kind, self.key_size);
        if kind.is_array() && got != 4 {
            problems.push(DefProblem::KeySize { kind, expected: 4, got });
        }
        if kind.is_queue() && got != 0 {
            problems.push(DefProblem::KeySize { kind, expected: 0, got });
        }
        if kind.is_hash() && got == 0 {
            problems.push(DefProblem::ZeroKey);
        }
        if self.value_size == 0 {
            problems.push(DefProblem::ZeroValue);
        }
        if self.max_entries == 0 {
            problems.push(DefProblem::ZeroEntries);
        }
    }

    fn check_limits(&self, problems: &mut Vec<DefProblem>) {
        let kind = self.kind;
        let mut at_most = |bytes: u64, limit: u64| {
            if bytes > limit {
                problems.push(DefProblem::ElementTooBig { kind, bytes, limit });
            }
        };
        let value = u64::from(self.value_size);
        if kind.is_percpu() {
            at_most(value.next_multiple_of(8), PERCPU_MAX);
        } else if kind.is_array() {
            at_most(value, i32::MAX as u64);
        } else if kind.is_queue() {
            at_most(value, KMALLOC_MAX);
        }
        if kind.is_hash() {
            at_most(u64::from(self.key_size) + value, KMALLOC_MAX - HASH_ELEMENT_HEADER - 1);
            if self.max_entries > HASH_MAX_ENTRIES {
                let got = self.max_entries;
                problems.push(DefProblem::TooManyEntries { kind, got, limit: HASH_MAX_ENTRIES });
            }
        }
    }

    /// Bytes between the values of two CPUs, as user space sees them: the size rounded up to 8.
    #[must_use]
    pub fn value_stride(&self) -> usize {
        (self.value_size as usize).next_multiple_of(8)
    }

    /// Bytes of a value as the system call copies it: for the per-CPU kinds, all CPUs one after another.
    #[must_use]
    pub fn user_value_size(&self, cpus: u32) -> usize {
        if self.kind.is_percpu() {
            self.value_stride().saturating_mul(cpus as usize)
        } else {
            self.value_size as usize
        }
    }

    /// Whether a program may read values. The kernel's verifier enforces it on loads, not on lookups.
    #[must_use]
    pub fn program_may_read(&self) -> bool {
        self.flags & BPF_F_WRONLY_PROG == 0
    }

    /// Whether a program may change the map.
    #[must_use]
    pub fn program_may_write(&self) -> bool {
        self.flags & BPF_F_RDONLY_PROG == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MapKind::*;

    fn def(kind: MapKind, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> MapDef {
        MapDef { name: "m".into(), kind, key_size, value_size, max_entries, flags }
    }

    fn code(def: &MapDef) -> i32 {
        def.validate().map_or_else(|error| -error.problem.errno(), |()| 0)
    }

    fn plain_key(kind: MapKind) -> u32 {
        if kind.is_queue() { 0 } else { 4 }
    }

    /// Bits 0 to 19 one by one, as `BPF_MAP_CREATE` answered on Linux 6.18; what is not listed gave EINVAL.
    #[test]
    fn each_creation_flag_answers_as_measured() {
        let table: &[(MapKind, &[u32])] = &[
            (Hash, &[0, 2, 3, 4, 6, 7, 8]),
            (Array, &[2, 3, 4, 7, 8, 10, 12]),
            (PercpuHash, &[0, 3, 4, 6, 7, 8]),
            (PercpuArray, &[3, 4, 7, 8]),
            (LruHash, &[1, 2, 3, 4, 6, 7, 8]),
            (LruPercpuHash, &[1, 3, 4, 6, 7, 8]),
            (Queue, &[2, 3, 4, 7, 8]),
            (Stack, &[2, 3, 4, 7, 8]),
        ];
        assert_eq!(table.len(), MapKind::ALL.len());
        for &(kind, accepted) in table {
            for bit in 0..32 {
                let expected = if accepted.contains(&bit) {
                    0
                } else if bit == 0 && kind.is_lru() {
                    -524
                } else {
                    -22
                };
                let got = code(&def(kind, plain_key(kind), 8, 4, 1 << bit));
                assert_eq!(got, expected, "{kind} bit {bit}");
            }
        }
    }

    #[test]
    fn combined_creation_flags_answer_as_measured() {
        for &kind in MapKind::ALL {
            let of = |flags| code(&def(kind, plain_key(kind), 8, 4, flags));
            assert_eq!(of(BPF_F_RDONLY | BPF_F_WRONLY), -22);
            assert_eq!(of(BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG), -22);
            assert_eq!(of(BPF_F_RDONLY_PROG | BPF_F_RDONLY), 0);
            assert_eq!(of(BPF_F_WRONLY_PROG | BPF_F_RDONLY), 0);
            let lru_without_prealloc = if kind.is_lru() { -524 } else { -22 };
            assert_eq!(of(BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU), lru_without_prealloc, "{kind}");
            assert_eq!(of(BPF_F_RDONLY | BPF_F_MMAPABLE), if kind == Array { 0 } else { -22 });
        }
    }

    /// (kind, key, value, entries, answer) from `BPF_MAP_CREATE` on Linux 6.18.
    #[test]
    fn sizes_answer_as_measured() {
        let table = [
            (Hash, 4, 8, 0, -22),
            (Hash, 4, 0, 4, -22),
            (Hash, 0, 8, 4, -22),
            (Hash, 3, 8, 4, 0),
            (Hash, 513, 8, 4, 0),
            (Hash, 4, 65536, 1, 0),
            (Hash, 1 << 20, 8, 1, 0),
            (Hash, 4, (1 << 22) - 49 - 4, 1, 0),
            (Hash, 4, (1 << 22) - 48 - 4, 1, -7),
            (Hash, 4, u32::MAX, 1, -7),
            (Hash, (1 << 22) + 1, 8, 1, -7),
            (Hash, 4, 8, (1 << 27) + 1, -7),
            (Hash, 4, 8, u32::MAX, -7),
            (Array, 4, 8, 0, -22),
            (Array, 4, 0, 4, -22),
            (Array, 0, 8, 4, -22),
            (Array, 3, 8, 4, -22),
            (Array, 8, 8, 4, -22),
            (Array, 4, 1 << 25, 1, 0),
            (Array, 4, 0x7fff_ffff, 1, 0),
            (Array, 4, 0x8000_0000, 1, -7),
            (Array, 4, 0xffff_fff0, u32::MAX, -7),
            (PercpuHash, 4, 32768, 2, 0),
            (PercpuHash, 4, 32769, 2, -7),
            (PercpuHash, 4, 8, 0x8000_0000, -7),
            (PercpuArray, 4, 32768, 2, 0),
            (PercpuArray, 4, 32769, 2, -7),
            (PercpuArray, 8, 8, 4, -22),
            (LruHash, 4, 8, (1 << 27) + 1, -7),
            (Queue, 0, 8, 0, -22),
            (Queue, 0, 0, 4, -22),
            (Queue, 4, 8, 4, -22),
            (Queue, 0, 1 << 22, 1, 0),
            (Queue, 0, (1 << 22) + 1, 1, -7),
            (Stack, 0, 8, 0, -22),
            (Stack, 4, 8, 4, -22),
            (Stack, 0, 1 << 22, 1, 0),
            (Stack, 0, 0x8000_0000, 1, -7),
        ];
        for (kind, key, value, entries, expected) in table {
            assert_eq!(code(&def(kind, key, value, entries, 0)), expected, "{kind} {key} {value} {entries}");
        }
    }

    #[test]
    fn every_problem_is_named() {
        let bad = def(Array, 8, 0, 0, BPF_F_NO_PREALLOC);
        assert_eq!(bad.problems().len(), 4);
        let message = bad.validate().unwrap_err().to_string();
        assert_eq!(message, "map `m`: a map of kind array does not take the flags 0x1");
    }

    #[test]
    fn user_space_sees_rounded_values_of_all_cpus() {
        assert_eq!(def(PercpuArray, 4, 12, 1, 0).user_value_size(3), 48);
        assert_eq!(def(Array, 4, 12, 1, 0).user_value_size(3), 12);
    }
}
