//! What the kernel knows of a program.

use std::os::fd::AsRawFd;

use super::sys::{self, Command};
use super::{KernelError, Program};

/// What the kernel knows of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramInfo {
    /// The kernel's number for it.
    pub id: u32,
    /// Its name, cut to 15 bytes.
    pub name: String,
    /// A hash of its instructions.
    pub tag: [u8; 8],
    /// The kernel's number for its types; 0 if it has none.
    pub btf_id: u32,
    /// Instructions the verifier went through; 0 before Linux 5.16.
    pub verified_insns: u32,
    /// The program as the verifier rewrote it, 8 bytes a slot.
    pub xlated: Vec<u8>,
    /// Bytes of machine code; 0 if it is interpreted.
    pub jited_len: u32,
    /// The machine code, if the kernel shows it.
    pub jited: Vec<u8>,
    /// The maps it uses, by the kernel's numbers.
    pub map_ids: Vec<u32>,
    /// How often it ran while statistics were on ([`Kernel::enable_stats`](super::Kernel::enable_stats)).
    pub run_count: u64,
    /// How long those runs took together, in nanoseconds.
    pub run_time_ns: u64,
}

impl Program {
    /// Asks the kernel about the program.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn info(&self) -> Result<ProgramInfo, KernelError> {
        let sizes = self.query(sys::ProgInfo::default())?;
        let mut xlated = vec![0; sizes.xlated_len as usize];
        let mut jited = vec![0; sizes.jited_len as usize];
        let mut maps = vec![0; sizes.map_count as usize * 4];
        let wanted = sys::ProgInfo {
            xlated_len: sizes.xlated_len,
            xlated: sys::address_mut(&mut xlated),
            jited_len: sizes.jited_len,
            jited: sys::address_mut(&mut jited),
            map_count: sizes.map_count,
            map_ids: sys::address_mut(&mut maps),
            ..Default::default()
        };
        let info = self.query(wanted)?;
        // The kernel clears the addresses of what it keeps to itself.
        if info.xlated == 0 {
            xlated.clear();
        }
        if info.jited == 0 {
            jited.clear();
        }
        let map_ids =
            maps.chunks_exact(4).filter_map(|id| id.first_chunk().map(|id| u32::from_ne_bytes(*id)));
        Ok(ProgramInfo {
            id: info.id,
            name: sys::text(&info.name),
            tag: info.tag,
            btf_id: info.btf_id,
            verified_insns: info.verified_insns,
            xlated,
            jited_len: info.jited_len,
            jited,
            map_ids: map_ids.collect(),
            run_count: info.run_count,
            run_time_ns: info.run_time_ns,
        })
    }

    /// One question; the addresses in `info` must be those of buffers with the lengths beside them.
    fn query(&self, mut info: sys::ProgInfo) -> Result<sys::ProgInfo, KernelError> {
        let mut attributes = sys::InfoByFd {
            fd: self.fd.as_raw_fd().cast_unsigned(),
            len: size_of::<sys::ProgInfo>() as u32,
            info: std::ptr::from_mut(&mut info).expose_provenance() as u64,
        };
        // SAFETY: `info` is of the length given, and what it points to is its caller's, above: nothing, or buffers of
        // the lengths that the kernel itself has named.
        let result = unsafe { sys::bpf(Command::InfoByFd, &mut attributes) };
        result.map_err(KernelError::call(format!("asking about program `{}`", self.name)))?;
        Ok(info)
    }
}
