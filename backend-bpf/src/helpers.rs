//! The kernel's helper functions: one row each. Numbers are those of `enum bpf_func_id` in the kernel's interface.

use larrow_ir::Op;

use crate::ctx::Groups;

/// What a helper leaves in R0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HelperResult {
    /// Nothing of use.
    None,
    /// A number of 64 bits, or minus an error number.
    Number,
    /// A number of 32 bits.
    Number32,
    /// A pointer, or null.
    Pointer,
}

/// A helper function of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Helper {
    /// Without the `bpf_`.
    pub name: &'static str,
    /// Its number.
    pub id: i32,
    /// How many arguments it takes at least and at most; they differ for `trace_printk` only.
    pub args: (usize, usize),
    /// What it returns.
    pub result: HelperResult,
    /// Which program types have it.
    pub groups: Groups,
    /// The first kernel that has it.
    pub kernel: (u16, u16),
}

macro_rules! helpers {
    ($($konst:ident $name:literal $id:literal $least:literal..=$most:literal $result:ident $groups:expr, ($major:literal, $minor:literal);)*) => {
        $(
            #[doc = concat!("`bpf_", $name, "`")]
            pub static $konst: Helper = Helper {
                name: $name,
                id: $id,
                args: ($least, $most),
                result: HelperResult::$result,
                groups: $groups,
                kernel: ($major, $minor),
            };
        )*
        /// Every helper, by number.
        pub static HELPERS: &[&Helper] = &[$(&$konst),*];
    };
}

helpers! {
    MAP_LOOKUP_ELEM "map_lookup_elem" 1 2..=2 Pointer Groups::ALL, (3, 19);
    MAP_UPDATE_ELEM "map_update_elem" 2 4..=4 Number Groups::ALL, (3, 19);
    MAP_DELETE_ELEM "map_delete_elem" 3 2..=2 Number Groups::ALL, (3, 19);
    PROBE_READ "probe_read" 4 3..=3 Number Groups::TRACING, (4, 1);
    KTIME_GET_NS "ktime_get_ns" 5 0..=0 Number Groups::ALL, (4, 1);
    TRACE_PRINTK "trace_printk" 6 2..=5 Number Groups::ALL, (4, 1);
    GET_PRANDOM_U32 "get_prandom_u32" 7 0..=0 Number32 Groups::ALL, (4, 1);
    GET_SMP_PROCESSOR_ID "get_smp_processor_id" 8 0..=0 Number32 Groups::ALL, (4, 1);
    SKB_STORE_BYTES "skb_store_bytes" 9 5..=5 Number Groups::TC, (4, 1);
    L3_CSUM_REPLACE "l3_csum_replace" 10 5..=5 Number Groups::TC, (4, 1);
    L4_CSUM_REPLACE "l4_csum_replace" 11 5..=5 Number Groups::TC, (4, 1);
    CLONE_REDIRECT "clone_redirect" 13 3..=3 Number Groups::TC, (4, 2);
    GET_CURRENT_PID_TGID "get_current_pid_tgid" 14 0..=0 Number Groups::TASK, (4, 2);
    GET_CURRENT_UID_GID "get_current_uid_gid" 15 0..=0 Number Groups::TASK, (4, 2);
    GET_CURRENT_COMM "get_current_comm" 16 2..=2 Number Groups::TASK, (4, 2);
    REDIRECT "redirect" 23 2..=2 Number Groups::XDP_TC, (4, 4);
    PERF_EVENT_OUTPUT "perf_event_output" 25 5..=5 Number Groups::ALL, (4, 4);
    SKB_LOAD_BYTES "skb_load_bytes" 26 4..=4 Number Groups::SKB, (4, 5);
    CSUM_DIFF "csum_diff" 28 5..=5 Number Groups::XDP_TC, (4, 6);
    GET_HASH_RECALC "get_hash_recalc" 34 1..=1 Number32 Groups::TC, (4, 8);
    XDP_ADJUST_HEAD "xdp_adjust_head" 44 2..=2 Number Groups::XDP, (4, 10);
    REDIRECT_MAP "redirect_map" 51 3..=3 Number Groups::XDP, (4, 14);
    XDP_ADJUST_META "xdp_adjust_meta" 54 2..=2 Number Groups::XDP, (4, 15);
    XDP_ADJUST_TAIL "xdp_adjust_tail" 65 2..=2 Number Groups::XDP, (4, 18);
    MAP_PUSH_ELEM "map_push_elem" 87 3..=3 Number Groups::ALL, (4, 20);
    MAP_POP_ELEM "map_pop_elem" 88 2..=2 Number Groups::ALL, (4, 20);
    MAP_PEEK_ELEM "map_peek_elem" 89 2..=2 Number Groups::ALL, (4, 20);
    SPIN_LOCK "spin_lock" 93 1..=1 None Groups::LOCKS, (5, 1);
    SPIN_UNLOCK "spin_unlock" 94 1..=1 None Groups::LOCKS, (5, 1);
    JIFFIES64 "jiffies64" 118 0..=0 Number Groups::ALL, (5, 5);
    KTIME_GET_BOOT_NS "ktime_get_boot_ns" 125 0..=0 Number Groups::ALL, (5, 8);
    RINGBUF_OUTPUT "ringbuf_output" 130 4..=4 Number Groups::ALL, (5, 8);
    RINGBUF_RESERVE "ringbuf_reserve" 131 3..=3 Pointer Groups::ALL, (5, 8);
    RINGBUF_SUBMIT "ringbuf_submit" 132 2..=2 None Groups::ALL, (5, 8);
    RINGBUF_DISCARD "ringbuf_discard" 133 2..=2 None Groups::ALL, (5, 8);
    RINGBUF_QUERY "ringbuf_query" 134 2..=2 Number Groups::ALL, (5, 8);
    KTIME_GET_COARSE_NS "ktime_get_coarse_ns" 160 0..=0 Number Groups::ALL, (5, 11);
    LOOP "loop" 181 4..=4 Number Groups::ALL, (5, 17);
    XDP_LOAD_BYTES "xdp_load_bytes" 189 4..=4 Number Groups::XDP, (5, 18);
    XDP_STORE_BYTES "xdp_store_bytes" 190 4..=4 Number Groups::XDP, (5, 18);
    USER_RINGBUF_DRAIN "user_ringbuf_drain" 209 4..=4 Number Groups::ALL, (6, 1);
}

/// The helper of this name, with or without `bpf_`.
pub fn helper(name: &str) -> Option<&'static Helper> {
    let name = name.strip_prefix("bpf_").unwrap_or(name);
    HELPERS.iter().find(|h| h.name == name).copied()
}

/// The helper behind a map op, and whether it takes flags as its last argument; none for other ops.
pub(crate) fn of_map_op(op: Op) -> Option<(&'static Helper, bool)> {
    match op {
        Op::MapLookup => Some((&MAP_LOOKUP_ELEM, false)),
        Op::MapUpdate => Some((&MAP_UPDATE_ELEM, true)),
        Op::MapDelete => Some((&MAP_DELETE_ELEM, false)),
        Op::MapPush => Some((&MAP_PUSH_ELEM, true)),
        Op::MapPop => Some((&MAP_POP_ELEM, false)),
        Op::MapPeek => Some((&MAP_PEEK_ELEM, false)),
        _ => None,
    }
}

/// The helper whose name is most like this one, if any is.
pub fn nearest_helper(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("bpf_").unwrap_or(name);
    larrow_ir::nearest(name, HELPERS.iter().map(|h| h.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_by_number_and_are_found_by_name() {
        assert!(HELPERS.windows(2).all(|w| w[0].id < w[1].id));
        assert_eq!(helper("bpf_map_lookup_elem"), Some(&MAP_LOOKUP_ELEM));
        assert_eq!(helper("ktime_get_ns").map(|h| h.id), Some(5));
        assert_eq!(helper("nonsense"), None);
        assert_eq!(nearest_helper("ktime_getns"), Some("ktime_get_ns"));
    }

    #[test]
    fn no_helper_takes_more_than_five_arguments() {
        assert!(HELPERS.iter().all(|h| h.args.0 <= h.args.1 && h.args.1 <= 5));
    }
}
