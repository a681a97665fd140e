//! What a map is declared as.

use super::ObjectError;
use crate::btf::{Btf, TypeId};

/// Gives each kind its number in the kernel's `enum bpf_map_type` and the name bpftool calls it by.
macro_rules! map_kinds {
    ($($variant:ident = $number:literal, $name:literal, $doc:literal;)*) => {
        /// The kinds of maps, numbered as in the kernel's `enum bpf_map_type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum MapKind {
            $(#[doc = $doc] $variant = $number,)*
        }

        impl MapKind {
            /// All kinds, by number.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The kind's number in the kernel's interface.
            pub fn number(self) -> u32 {
                self as u32
            }

            /// The name that bpftool uses.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The kind with this number.
            pub fn from_number(number: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.number() == number)
            }
        }
    };
}

map_kinds! {
    Hash = 1, "hash", "Key to value, in any order.";
    Array = 2, "array", "A fixed number of values, all there from the start, indexed by `u32`.";
    ProgArray = 3, "prog_array", "Programs, for tail calls.";
    PerfEventArray = 4, "perf_event_array", "Perf events, for output to user space.";
    PercpuHash = 5, "percpu_hash", "A hash with a value for each CPU.";
    PercpuArray = 6, "percpu_array", "An array with a value for each CPU.";
    StackTrace = 7, "stack_trace", "Stack traces by id.";
    CgroupArray = 8, "cgroup_array", "Control groups.";
    LruHash = 9, "lru_hash", "A hash that forgets what was used least lately.";
    LruPercpuHash = 10, "lru_percpu_hash", "The same, with a value for each CPU.";
    LpmTrie = 11, "lpm_trie", "Longest prefix match.";
    ArrayOfMaps = 12, "array_of_maps", "An array of maps.";
    HashOfMaps = 13, "hash_of_maps", "A hash of maps.";
    Devmap = 14, "devmap", "Network devices.";
    Sockmap = 15, "sockmap", "Sockets.";
    Cpumap = 16, "cpumap", "CPUs, for XDP redirection.";
    Xskmap = 17, "xskmap", "AF_XDP sockets.";
    Sockhash = 18, "sockhash", "Sockets by key.";
    CgroupStorage = 19, "cgroup_storage", "Storage local to a control group (deprecated).";
    ReuseportSockarray = 20, "reuseport_sockarray", "Sockets that share a port.";
    PercpuCgroupStorage = 21, "percpu_cgroup_storage", "Storage local to a control group and CPU.";
    Queue = 22, "queue", "First in, first out; no keys.";
    Stack = 23, "stack", "Last in, first out; no keys.";
    SkStorage = 24, "sk_storage", "Storage local to a socket.";
    DevmapHash = 25, "devmap_hash", "Network devices by key.";
    StructOps = 26, "struct_ops", "A kernel structure of functions.";
    Ringbuf = 27, "ringbuf", "Records for user space, in order, of any size.";
    InodeStorage = 28, "inode_storage", "Storage local to an inode.";
    TaskStorage = 29, "task_storage", "Storage local to a task.";
    BloomFilter = 30, "bloom_filter", "Membership, with false positives.";
    UserRingbuf = 31, "user_ringbuf", "Records from user space.";
    CgrpStorage = 32, "cgrp_storage", "Storage local to a control group.";
    Arena = 33, "arena", "Memory shared with user space.";
}

impl MapKind {
    /// Whether each entry has a value for each CPU.
    pub fn is_per_cpu(self) -> bool {
        matches!(self, Self::PercpuHash | Self::PercpuArray | Self::LruPercpuHash | Self::PercpuCgroupStorage)
    }
}

impl MapKind {
    /// Whether the kernel takes types for keys and values of such a map.
    pub fn takes_types(self) -> bool {
        match self {
            Self::Hash
            | Self::Array
            | Self::ProgArray
            | Self::PercpuHash
            | Self::PercpuArray
            | Self::LruHash
            | Self::LruPercpuHash
            | Self::LpmTrie
            | Self::CgroupStorage
            | Self::PercpuCgroupStorage
            | Self::SkStorage
            | Self::InodeStorage
            | Self::TaskStorage
            | Self::CgrpStorage => true,
            Self::PerfEventArray
            | Self::StackTrace
            | Self::CgroupArray
            | Self::ArrayOfMaps
            | Self::HashOfMaps
            | Self::Devmap
            | Self::DevmapHash
            | Self::Sockmap
            | Self::Sockhash
            | Self::Cpumap
            | Self::Xskmap
            | Self::ReuseportSockarray
            | Self::Queue
            | Self::Stack
            | Self::StructOps
            | Self::Ringbuf
            | Self::UserRingbuf
            | Self::BloomFilter
            | Self::Arena => false,
        }
    }
}

/// How a key or value is described: the map then has its size, or its type, which gives the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// There is none (a queue's key, a ring buffer's key and value).
    None,
    /// Bytes.
    Size(u32),
    /// A type: shown by `bpftool map dump`, and needed for values with a `bpf_spin_lock`.
    Type(TypeId),
}

impl Layout {
    /// The size in bytes.
    ///
    /// # Errors
    /// The type has no size.
    pub fn size(self, btf: &Btf) -> Result<u32, ObjectError> {
        match self {
            Self::None => Ok(0),
            Self::Size(size) => Ok(size),
            Self::Type(id) => Ok(btf.size_of(id)?),
        }
    }
}

/// A map's declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSpec {
    /// Its symbol.
    pub name: String,
    /// Its kind.
    pub kind: MapKind,
    /// How many entries it has room for; a ring buffer's bytes.
    pub max_entries: u32,
    /// `BPF_F_*` flags.
    pub flags: u32,
    /// What a few kinds want besides (a Bloom filter's number of hash functions), else 0. Below 2^32 in a file.
    pub extra: u64,
    /// The keys.
    pub key: Layout,
    /// The values.
    pub value: Layout,
}

impl MapSpec {
    /// `BPF_F_NO_PREALLOC`.
    pub const NO_PREALLOC: u32 = 1;
    /// `BPF_F_RDONLY_PROG`: programs may not write.
    pub const RDONLY_PROG: u32 = 1 << 7;
    /// `BPF_F_MMAPABLE`: user space may map the values of an array.
    pub const MMAPABLE: u32 = 1 << 10;

    /// A map without flags.
    pub fn new(name: &str, kind: MapKind, max_entries: u32, key: Layout, value: Layout) -> Self {
        Self { name: name.into(), kind, max_entries, flags: 0, extra: 0, key, value }
    }

    /// The same with these `BPF_F_*` flags.
    #[must_use]
    pub fn with_flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }
}
