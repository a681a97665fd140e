//! The system call itself: attribute layouts of the kernel's `union bpf_attr`, and one function for all commands.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// The commands of `bpf(2)` that are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgLoad = 5,
    TestRun = 10,
    InfoByFd = 15,
    BtfLoad = 18,
    MapLookupAndDelete = 21,
    MapFreeze = 22,
    EnableStats = 32,
}

/// Attributes of a command: plain integers in the kernel's order, without padding that could be uninitialised.
///
/// # Safety
/// An implementor must be `repr(C)` and must have no padding bytes.
pub(super) unsafe trait Attributes {}

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        #[repr(C)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: $ty,)*
        }

        // Without padding the fields' sizes add up to the whole.
        const _: () = assert!(size_of::<$name>() == 0 $(+ size_of::<$ty>())*);

        // SAFETY: `repr(C)` as written above, and the assertion excludes padding.
        unsafe impl Attributes for $name {}
    )*};
}

attributes! {
    /// For [`Command::MapCreate`].
    MapCreate {
        kind: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        flags: u32,
        inner_map_fd: u32,
        numa_node: u32,
        name: [u8; 16],
        ifindex: u32,
        btf_fd: u32,
        btf_key_type_id: u32,
        btf_value_type_id: u32,
        btf_vmlinux_value_type_id: u32,
        extra: u64,
    }

    /// For the commands on one element of a map.
    MapElement {
        fd: u32,
        zero: u32,
        key: u64,
        /// The value, or where the next key goes.
        value: u64,
        flags: u64,
    }

    /// For [`Command::ProgLoad`].
    ProgLoad {
        kind: u32,
        insn_count: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buffer: u64,
        kernel_version: u32,
        flags: u32,
        name: [u8; 16],
        ifindex: u32,
        expected_attach_type: u32,
        btf_fd: u32,
        func_info_record: u32,
        func_info: u64,
        func_info_count: u32,
        line_info_record: u32,
        line_info: u64,
        line_info_count: u32,
        attach_btf_id: u32,
    }

    /// For [`Command::TestRun`].
    TestRun {
        fd: u32,
        retval: u32,
        data_size_in: u32,
        data_size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
        ctx_size_in: u32,
        ctx_size_out: u32,
        ctx_in: u64,
        ctx_out: u64,
    }

    /// For [`Command::InfoByFd`].
    InfoByFd {
        fd: u32,
        len: u32,
        info: u64,
    }

    /// For [`Command::BtfLoad`].
    BtfLoad {
        btf: u64,
        log_buffer: u64,
        size: u32,
        log_size: u32,
        log_level: u32,
        zero: u32,
    }

    /// For [`Command::EnableStats`].
    EnableStats {
        kind: u32,
    }

    /// The kernel's `struct bpf_prog_info`.
    ProgInfo {
        kind: u32,
        id: u32,
        tag: [u8; 8],
        jited_len: u32,
        xlated_len: u32,
        jited: u64,
        xlated: u64,
        load_time: u64,
        created_by_uid: u32,
        map_count: u32,
        map_ids: u64,
        name: [u8; 16],
        ifindex: u32,
        gpl_compatible: u32,
        netns_dev: u64,
        netns_ino: u64,
        jited_ksym_count: u32,
        jited_func_len_count: u32,
        jited_ksyms: u64,
        jited_func_lens: u64,
        btf_id: u32,
        func_info_record: u32,
        func_info: u64,
        func_info_count: u32,
        line_info_count: u32,
        line_info: u64,
        jited_line_info: u64,
        jited_line_info_count: u32,
        line_info_record: u32,
        jited_line_info_record: u32,
        tag_count: u32,
        tags: u64,
        run_time_ns: u64,
        run_count: u64,
        recursion_misses: u64,
        verified_insns: u32,
        attach_btf_obj_id: u32,
        attach_btf_id: u32,
        zero: u32,
    }
}

/// Makes the call; gives its non-negative result.
///
/// # Safety
/// Every address in `attributes` must be null or point to memory of the length that the command, the other
/// attributes and the object behind the descriptor imply: readable where the kernel reads, writable and not
/// otherwise borrowed where it writes.
pub(super) unsafe fn bpf<T: Attributes>(command: Command, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the attributes are valid for the length given, without padding; what they point to is the caller's
    // promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            libc::c_long::from(command as i32),
            std::ptr::from_mut(attributes),
            size_of::<T>() as libc::c_long,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

/// As [`bpf`], for the commands that make a descriptor.
///
/// # Safety
/// As for [`bpf`]; the command must be one that makes a descriptor.
pub(super) unsafe fn bpf_fd<T: Attributes>(command: Command, attributes: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    let fd = unsafe { bpf(command, attributes)? };
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The address of what the kernel will read.
pub(super) fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr().addr() as u64
}

/// The address of what the kernel will write.
pub(super) fn address_mut(bytes: &mut [u8]) -> u64 {
    bytes.as_mut_ptr().expose_provenance() as u64
}

/// A name as the kernel holds it: at most 15 bytes of letters, digits, `_` and `.`; others become `_`.
pub(super) fn object_name(name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    for (slot, byte) in out[..15].iter_mut().zip(name.bytes()) {
        let fits = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
        *slot = if fits { byte } else { b'_' };
    }
    out
}

/// The text in a buffer that ends with a zero byte.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
