//! The kinds of map.

use std::fmt;
use std::str::FromStr;

use crate::flags::*;

/// Declares the kinds: one row gives the variant, the kernel's number, the name and the flags it accepts.
macro_rules! map_kinds {
    ($($(#[$doc:meta])* $variant:ident = $id:literal $name:literal accepts $flags:expr;)*) => {
        /// What a map is: its `BPF_MAP_TYPE_*`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum MapKind {
            $($(#[$doc])* $variant,)*
        }

        impl MapKind {
            /// Every kind, by rising kernel number.
            pub const ALL: &[MapKind] = &[$(MapKind::$variant),*];

            /// The kernel's `BPF_MAP_TYPE_*` number.
            #[must_use]
            pub const fn id(self) -> u32 {
                match self { $(MapKind::$variant => $id,)* }
            }

            /// The kind of a kernel number; `None` if unknown or not modelled here.
            #[must_use]
            pub const fn from_id(id: u32) -> Option<MapKind> {
                match id { $($id => Some(MapKind::$variant),)* _ => None }
            }

            /// The name: the kernel's constant without its prefix, in lower case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(MapKind::$variant => $name,)* }
            }

            /// The `map_flags` that the kernel accepts at creation (measured on 6.18, flag by flag).
            #[must_use]
            pub const fn accepted_flags(self) -> u32 {
                match self { $(MapKind::$variant => $flags,)* }
            }
        }
    };
}

const ACCESS: u32 = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

map_kinds! {
    /// A hash table of at most `max_entries` elements.
    Hash = 1 "hash" accepts ACCESS | BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED;
    /// `max_entries` values, all present from the start, by a `u32` index.
    Array = 2 "array" accepts ACCESS | BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_INNER_MAP;
    /// A hash table with one value per CPU and element.
    PercpuHash = 5 "percpu_hash" accepts ACCESS | BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED;
    /// An array with one value per CPU and index.
    PercpuArray = 6 "percpu_array" accepts ACCESS;
    /// A hash table that makes room by evicting the element used longest ago.
    LruHash = 9 "lru_hash" accepts ACCESS | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED;
    /// [`MapKind::LruHash`] with one value per CPU and element.
    LruPercpuHash = 10 "lru_percpu_hash" accepts ACCESS | BPF_F_NO_COMMON_LRU | BPF_F_ZERO_SEED;
    /// First in, first out; no keys.
    Queue = 22 "queue" accepts ACCESS | BPF_F_NUMA_NODE;
    /// Last in, first out; no keys.
    Stack = 23 "stack" accepts ACCESS | BPF_F_NUMA_NODE;
}

impl MapKind {
    /// Whether each element has one value per CPU.
    #[must_use]
    pub const fn is_percpu(self) -> bool {
        matches!(self, MapKind::PercpuArray | MapKind::PercpuHash | MapKind::LruPercpuHash)
    }

    /// Whether a full map evicts rather than refuses.
    #[must_use]
    pub const fn is_lru(self) -> bool {
        matches!(self, MapKind::LruHash | MapKind::LruPercpuHash)
    }

    /// Whether the key is a `u32` index.
    #[must_use]
    pub const fn is_array(self) -> bool {
        matches!(self, MapKind::Array | MapKind::PercpuArray)
    }

    /// Whether elements are found by hashing the key.
    #[must_use]
    pub const fn is_hash(self) -> bool {
        matches!(self, MapKind::Hash | MapKind::PercpuHash | MapKind::LruHash | MapKind::LruPercpuHash)
    }

    /// Whether elements have no key and are pushed and popped.
    #[must_use]
    pub const fn is_queue(self) -> bool {
        matches!(self, MapKind::Queue | MapKind::Stack)
    }
}

impl fmt::Display for MapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no [`MapKind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown map kind `{0}`")]
pub struct UnknownKind(
    /// The name as given.
    pub String,
);

impl FromStr for MapKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<MapKind, UnknownKind> {
        let found = MapKind::ALL.iter().find(|kind| kind.name() == name);
        found.copied().ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_round_trip() {
        for &kind in MapKind::ALL {
            assert_eq!(MapKind::from_id(kind.id()), Some(kind));
            assert_eq!(kind.to_string().parse(), Ok(kind));
            let families = [kind.is_array(), kind.is_hash(), kind.is_queue()];
            assert_eq!(families.iter().filter(|&&is| is).count(), 1, "{kind} is of one family");
        }
        assert_eq!(MapKind::from_id(27), None);
        assert_eq!("ringbuffer".parse::<MapKind>(), Err(UnknownKind("ringbuffer".into())));
        assert_eq!(MapKind::LruPercpuHash.to_string(), "lru_percpu_hash");
    }
}
