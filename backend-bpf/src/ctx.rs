//! Program sections: what kind of program a section makes, the context it gets, and what it returns to be rid of a
//! packet. Offsets are those of the context structures in the kernel's interface (`include/uapi/linux/bpf.h`).

use std::ops::BitOr;

/// A set of program types, to say which have a helper.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Groups(u16);

impl Groups {
    /// `xdp`
    pub const XDP: Groups = Groups(1);
    /// `tc`, `classifier`
    pub const TC: Groups = Groups(2);
    /// `socket`
    pub const SOCKET: Groups = Groups(4);
    /// `tracepoint`, `raw_tp`
    pub const TRACE: Groups = Groups(8);
    /// `perf_event`
    pub const PERF: Groups = Groups(16);
    /// `cgroup_skb/…`
    pub const CGROUP_SKB: Groups = Groups(32);
    /// `syscall`
    pub const SYSCALL: Groups = Groups(64);
    /// Every type.
    pub const ALL: Groups = Groups(127);
    /// Types with an `skb`.
    pub const SKB: Groups = Groups(2 | 4 | 32);
    /// Both packet types that redirect.
    pub const XDP_TC: Groups = Groups(1 | 2);
    /// Tracing types.
    pub const TRACING: Groups = Groups(8 | 16);
    /// Types that run in a task's context.
    pub const TASK: Groups = Groups(8 | 16 | 64);
    /// Types that may take a lock.
    pub const LOCKS: Groups = Groups(1 | 2 | 32 | 64);

    /// Whether every type of `other` is in this set.
    pub fn has(self, other: Groups) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Groups {
    type Output = Groups;
    fn bitor(self, other: Groups) -> Groups {
        Groups(self.0 | other.0)
    }
}

/// What a context field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// A number.
    Scalar,
    /// The start of the packet: 32 bits that load as a pointer.
    Packet,
    /// Its end.
    PacketEnd,
}

/// A field of a context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CtxField {
    /// The name.
    pub name: &'static str,
    /// Bytes from the start.
    pub offset: i32,
    /// Bytes that a load must have.
    pub size: u32,
    /// What it holds.
    pub kind: FieldKind,
}

/// A kind of program section.
#[derive(Debug)]
pub struct Section {
    /// The name that libbpf and its kin go by.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// The name of the context's type: `ptr<ctx xdp>`.
    pub ctx: &'static str,
    /// The context's fields.
    pub fields: &'static [CtxField],
    /// What a program returns when it gives up.
    pub abort: u32,
    /// Its helper group.
    pub group: Groups,
    /// Whether the part of the name behind a `/` is the user's: `tracepoint/syscalls/sys_enter_openat`.
    pub takes_suffix: bool,
}

macro_rules! fields {
    ($name:ident: $($field:ident $offset:literal $size:literal $kind:ident;)*) => {
        static $name: &[CtxField] = &[$(CtxField {
            name: stringify!($field),
            offset: $offset,
            size: $size,
            kind: FieldKind::$kind,
        }),*];
    };
}

fields! { XDP_MD:
    data 0 4 Packet; data_end 4 4 PacketEnd; data_meta 8 4 Packet; ingress_ifindex 12 4 Scalar;
    rx_queue_index 16 4 Scalar; egress_ifindex 20 4 Scalar;
}
fields! { SK_BUFF:
    len 0 4 Scalar; pkt_type 4 4 Scalar; mark 8 4 Scalar; queue_mapping 12 4 Scalar; protocol 16 4 Scalar;
    vlan_present 20 4 Scalar; vlan_tci 24 4 Scalar; vlan_proto 28 4 Scalar; priority 32 4 Scalar;
    ingress_ifindex 36 4 Scalar; ifindex 40 4 Scalar; tc_index 44 4 Scalar; cb0 48 4 Scalar; cb1 52 4 Scalar;
    cb2 56 4 Scalar; cb3 60 4 Scalar; cb4 64 4 Scalar; hash 68 4 Scalar; tc_classid 72 4 Scalar; data 76 4 Packet;
    data_end 80 4 PacketEnd; napi_id 84 4 Scalar; family 88 4 Scalar; remote_ip4 92 4 Scalar; local_ip4 96 4 Scalar;
    data_meta 140 4 Packet; tstamp 152 8 Scalar; wire_len 160 4 Scalar; gso_segs 164 4 Scalar;
}
// A socket filter reads the packet through helpers: the kernel refuses it `data` and `data_end`.
fields! { SOCKET_SKB:
    len 0 4 Scalar; pkt_type 4 4 Scalar; mark 8 4 Scalar; queue_mapping 12 4 Scalar; protocol 16 4 Scalar;
    vlan_present 20 4 Scalar; vlan_tci 24 4 Scalar; vlan_proto 28 4 Scalar; priority 32 4 Scalar;
    ingress_ifindex 36 4 Scalar; ifindex 40 4 Scalar; cb0 48 4 Scalar; cb1 52 4 Scalar; cb2 56 4 Scalar;
    cb3 60 4 Scalar; cb4 64 4 Scalar; hash 68 4 Scalar; napi_id 84 4 Scalar; gso_segs 164 4 Scalar;
}
fields! { TRACE_ENTRY:
    common_type 0 2 Scalar; common_flags 2 1 Scalar; common_preempt_count 3 1 Scalar; common_pid 4 4 Scalar;
    arg0 8 8 Scalar; arg1 16 8 Scalar; arg2 24 8 Scalar; arg3 32 8 Scalar; arg4 40 8 Scalar; arg5 48 8 Scalar;
}
fields! { ARGS:
    arg0 0 8 Scalar; arg1 8 8 Scalar; arg2 16 8 Scalar; arg3 24 8 Scalar; arg4 32 8 Scalar; arg5 40 8 Scalar;
}
// Behind the 168 bytes of x86-64's registers.
fields! { PERF_EVENT_DATA: sample_period 168 8 Scalar; addr 176 8 Scalar; }

/// Every kind of section.
pub static SECTIONS: &[Section] = &[
    Section {
        name: "xdp",
        aliases: &[],
        ctx: "xdp",
        fields: XDP_MD,
        abort: 0,
        group: Groups::XDP,
        takes_suffix: false,
    },
    Section {
        name: "classifier",
        aliases: &["tc"],
        ctx: "skb",
        fields: SK_BUFF,
        abort: 2,
        group: Groups::TC,
        takes_suffix: false,
    },
    Section {
        name: "socket",
        aliases: &[],
        ctx: "skb",
        fields: SOCKET_SKB,
        abort: 0,
        group: Groups::SOCKET,
        takes_suffix: false,
    },
    Section {
        name: "tracepoint",
        aliases: &["tp"],
        ctx: "tracepoint",
        fields: TRACE_ENTRY,
        abort: 0,
        group: Groups::TRACE,
        takes_suffix: true,
    },
    Section {
        name: "raw_tp",
        aliases: &["raw_tracepoint"],
        ctx: "raw_tp",
        fields: ARGS,
        abort: 0,
        group: Groups::TRACE,
        takes_suffix: true,
    },
    Section {
        name: "perf_event",
        aliases: &[],
        ctx: "perf_event",
        fields: PERF_EVENT_DATA,
        abort: 0,
        group: Groups::PERF,
        takes_suffix: false,
    },
    Section {
        name: "cgroup_skb/ingress",
        aliases: &[],
        ctx: "skb",
        fields: SK_BUFF,
        abort: 0,
        group: Groups::CGROUP_SKB,
        takes_suffix: false,
    },
    Section {
        name: "cgroup_skb/egress",
        aliases: &[],
        ctx: "skb",
        fields: SK_BUFF,
        abort: 0,
        group: Groups::CGROUP_SKB,
        takes_suffix: false,
    },
    Section {
        name: "syscall",
        aliases: &[],
        ctx: "syscall",
        fields: ARGS,
        abort: 0,
        group: Groups::SYSCALL,
        takes_suffix: false,
    },
];

impl Section {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&'static CtxField> {
        self.fields.iter().find(|f| f.name == name)
    }

    fn is_called(&self, name: &str) -> bool {
        let names = || std::iter::once(&self.name).chain(self.aliases);
        let exact = names().any(|n| *n == name);
        let prefix = |n: &&str| name.strip_prefix(*n).is_some_and(|rest| rest.starts_with('/'));
        exact || self.takes_suffix && names().any(prefix)
    }
}

/// The kind of a section by its name.
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|s| s.is_called(name))
}

/// The section name most like this one, if any is.
pub fn nearest_section(name: &str) -> Option<&'static str> {
    larrow_ir::nearest(
        name,
        SECTIONS.iter().flat_map(|s| std::iter::once(s.name).chain(s.aliases.iter().copied())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_go_by_name_alias_and_suffix() {
        assert_eq!(section("tc").map(|s| s.name), Some("classifier"));
        assert_eq!(section("tracepoint/syscalls/sys_enter_openat").map(|s| s.name), Some("tracepoint"));
        assert!(section("xdp/x").is_none());
        assert_eq!(nearest_section("xpd"), Some("xdp"));
        assert_eq!(nearest_section("clasifier"), Some("classifier"));
        assert_eq!(nearest_section("zzzzzzzz"), None);
    }

    #[test]
    fn fields_ascend_and_are_aligned() {
        for section in SECTIONS {
            assert!(section.fields.windows(2).all(|w| w[0].offset < w[1].offset), "{}", section.name);
            assert!(section.fields.iter().all(|f| f.offset % f.size.cast_signed() == 0), "{}", section.name);
        }
    }
}
