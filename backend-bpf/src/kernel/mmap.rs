//! An array map's values in our own memory.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use super::{KernelError, Map};
use crate::object::{MapKind, MapSpec};

/// All values of an array map, shared with the programs that use it.
///
/// Programs may write at any time, so the memory is seen through atomics only.
#[derive(Debug)]
pub struct MappedValues<'m> {
    start: NonNull<u8>,
    len: usize,
    mapped: usize,
    map: PhantomData<&'m Map>,
}

// SAFETY: the memory belongs to the mapping, not to a thread, and is reached through atomics only.
unsafe impl Send for MappedValues<'_> {}
// SAFETY: as above.
unsafe impl Sync for MappedValues<'_> {}

impl Map {
    /// Bytes from one value of an array to the next.
    pub fn stride(&self) -> usize {
        self.value_size().next_multiple_of(8)
    }

    /// Maps the values of an array that was made with [`MapSpec::MMAPABLE`], for reading and writing.
    ///
    /// # Errors
    /// The map is no such array, is frozen, or has a spin lock in its value.
    pub fn mmap(&self) -> Result<MappedValues<'_>, KernelError> {
        if self.kind() != MapKind::Array || self.flags() & MapSpec::MMAPABLE == 0 {
            let what =
                format!("map `{}` is no array with BPF_F_MMAPABLE, so it cannot be mapped", self.name());
            return Err(KernelError::Unsupported { what });
        }
        let len = self.stride() * self.max_entries() as usize;
        // SAFETY: sysconf takes no address.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let mapped = len.next_multiple_of(usize::try_from(page).unwrap_or(4096));
        // SAFETY: a new shared mapping at a place of the kernel's choice touches nothing of ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                self.as_fd().as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(self.failed("mapping", io::Error::last_os_error()));
        }
        let start =
            NonNull::new(start.cast()).ok_or_else(|| self.failed("mapping", io::ErrorKind::Other.into()))?;
        Ok(MappedValues { start, len, mapped, map: PhantomData })
    }
}

impl MappedValues<'_> {
    /// Bytes of all values together, each padded to 8.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values, which the kernel does not allow.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte. Writing through it races with programs, unless it is done atomically.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The memory in single bytes.
    pub fn bytes(&self) -> &[AtomicU8] {
        // SAFETY: the mapping is readable and writable for `len` bytes as long as `self` lives, and is shared, which
        // atomics allow.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len) }
    }

    /// The memory in 4-byte words.
    pub fn words32(&self) -> &[AtomicU32] {
        // SAFETY: as for `bytes`; a mapping starts at a page, so the words are aligned.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len / 4) }
    }

    /// The memory in 8-byte words.
    pub fn words64(&self) -> &[AtomicU64] {
        // SAFETY: as for `bytes`; a mapping starts at a page, so the words are aligned.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.len / 8) }
    }
}

impl Drop for MappedValues<'_> {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this length, and no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.mapped) };
    }
}
