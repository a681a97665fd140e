//! What the name of a program's section says.

/// The kinds of programs this crate knows, numbered as in the kernel's `enum bpf_prog_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ProgramKind {
    /// Filters what a socket receives.
    SocketFilter = 1,
    /// Runs at a kernel function.
    Kprobe = 2,
    /// Classifies packets in traffic control.
    Classifier = 3,
    /// Acts on packets in traffic control.
    Action = 4,
    /// Runs at a tracepoint, with its formatted arguments.
    Tracepoint = 5,
    /// Takes packets from the driver.
    Xdp = 6,
    /// Runs at a perf event.
    PerfEvent = 7,
    /// Filters the packets of a control group.
    CgroupSkb = 8,
    /// Runs at a tracepoint, with its raw arguments.
    RawTracepoint = 17,
    /// Runs when user space says so.
    Syscall = 31,
}

/// A program section's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramSection {
    /// What kind of program it holds.
    pub kind: ProgramKind,
    /// `enum bpf_attach_type`, for kinds that are checked against it; else 0.
    pub attach: u32,
    /// The name that every loader knows: some know only one of several.
    pub portable: &'static str,
}

/// Names, longest first where one starts another: name, kind, attach type, portable name.
const SECTIONS: &[(&str, ProgramKind, u32, &str)] = &[
    ("xdp", ProgramKind::Xdp, 37, "xdp"),
    ("classifier", ProgramKind::Classifier, 0, "classifier"),
    ("tc", ProgramKind::Classifier, 0, "classifier"),
    ("action", ProgramKind::Action, 0, "action"),
    ("socket", ProgramKind::SocketFilter, 0, "socket"),
    ("tracepoint", ProgramKind::Tracepoint, 0, "tracepoint"),
    ("tp", ProgramKind::Tracepoint, 0, "tracepoint"),
    ("raw_tracepoint", ProgramKind::RawTracepoint, 0, "raw_tp"),
    ("raw_tp", ProgramKind::RawTracepoint, 0, "raw_tp"),
    ("perf_event", ProgramKind::PerfEvent, 0, "perf_event"),
    ("cgroup_skb/ingress", ProgramKind::CgroupSkb, 0, "cgroup_skb/ingress"),
    ("cgroup_skb/egress", ProgramKind::CgroupSkb, 1, "cgroup_skb/egress"),
    ("cgroup/skb", ProgramKind::CgroupSkb, 0, "cgroup/skb"),
    ("kprobe", ProgramKind::Kprobe, 0, "kprobe"),
    ("syscall", ProgramKind::Syscall, 0, "syscall"),
];

impl ProgramSection {
    /// What a section of this name holds: the name itself, or what stands before a `/`. None for unknown names.
    pub fn parse(name: &str) -> Option<Self> {
        let matches = |known: &str| {
            name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let &(_, kind, attach, portable) = SECTIONS.iter().find(|(known, ..)| matches(known))?;
        Some(Self { kind, attach, portable })
    }

    /// The names known, for an error message.
    pub fn known() -> impl Iterator<Item = &'static str> {
        SECTIONS.iter().map(|&(name, ..)| name)
    }
}

impl ProgramKind {
    /// The kind's number in the kernel's interface.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Whether such a program is handed a packet.
    pub fn takes_packet(self) -> bool {
        match self {
            Self::SocketFilter | Self::Classifier | Self::Action | Self::Xdp | Self::CgroupSkb => true,
            Self::Kprobe | Self::Tracepoint | Self::PerfEvent | Self::RawTracepoint | Self::Syscall => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> Option<ProgramKind> {
        ProgramSection::parse(name).map(|section| section.kind)
    }

    #[test]
    fn a_name_counts_up_to_the_slash() {
        assert_eq!(kind("xdp"), Some(ProgramKind::Xdp));
        assert_eq!(kind("xdp/first"), Some(ProgramKind::Xdp));
        assert_eq!(kind("tc"), kind("classifier/egress"));
        assert_eq!(kind("tp/sched/sched_switch"), Some(ProgramKind::Tracepoint));
        assert_eq!(kind("raw_tp/sys_enter"), Some(ProgramKind::RawTracepoint));
        assert_eq!((kind("xdpx"), kind(""), kind(".text")), (None, None, None));
    }

    #[test]
    fn direction_decides_the_attach_type() {
        let attach = |name| ProgramSection::parse(name).map(|section| section.attach);
        assert_eq!(attach("cgroup_skb/ingress"), Some(0));
        assert_eq!(attach("cgroup_skb/egress"), Some(1));
    }
}
