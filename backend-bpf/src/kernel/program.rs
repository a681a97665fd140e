//! Loading types and programs.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::sys::{self, Command};
use super::{KernelError, LogLevel, VerifierStats};
use crate::btf::ext::{FUNC_RECORD, LINE_RECORD};
use crate::object::{ProgramKind, SLOT};

/// The largest log asked for, in bytes.
const LOG_LIMIT: usize = 64 << 20;
/// Program flag: it may sleep, which programs of kind `syscall` must.
const SLEEPABLE: u32 = 1 << 4;

/// Types that the kernel has accepted.
#[derive(Debug)]
pub struct LoadedBtf {
    fd: OwnedFd,
}

impl LoadedBtf {
    /// Gives the kernel the bytes of a `.BTF` section.
    ///
    /// # Errors
    /// [`KernelError::BtfRejected`] with what the kernel has to say.
    pub fn load(bytes: &[u8]) -> Result<Self, KernelError> {
        let source = match load_btf(bytes, &mut []) {
            Ok(fd) => return Ok(Self { fd }),
            Err(source) => source,
        };
        let mut log = vec![0; 1 << 20];
        // The second try is for its log; a success then would be one all the same.
        match load_btf(bytes, &mut log) {
            Ok(fd) => Ok(Self { fd }),
            Err(_) => Err(KernelError::BtfRejected { log: sys::text(&log), source }),
        }
    }
}

impl AsFd for LoadedBtf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn load_btf(bytes: &[u8], log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut attributes =
        sys::BtfLoad { btf: sys::address(bytes), size: bytes.len() as u32, ..Default::default() };
    if !log.is_empty() {
        attributes.log_size = log.len() as u32;
        attributes.log_buffer = sys::address_mut(log);
        attributes.log_level = 1;
    }
    // SAFETY: both addresses stand beside the lengths of live slices, the log's borrowed mutably.
    unsafe { sys::bpf_fd(Command::BtfLoad, &mut attributes) }
}

/// A program's function and line records, in instructions, as the kernel takes them.
pub(super) struct Tables<'a> {
    pub(super) btf: &'a LoadedBtf,
    pub(super) functions: Vec<u8>,
    pub(super) lines: Vec<u8>,
}

/// What is to be loaded.
pub(super) struct LoadRequest<'a> {
    pub(super) name: &'a str,
    pub(super) kind: ProgramKind,
    pub(super) attach: u32,
    pub(super) license: &'a str,
    pub(super) code: &'a [u8],
    pub(super) tables: Option<Tables<'a>>,
}

/// One call of the kernel; the log goes to `log` if that has room.
pub(super) fn load_raw(request: &LoadRequest<'_>, level: u32, log: &mut [u8]) -> io::Result<OwnedFd> {
    let mut license = request.license.as_bytes().to_vec();
    license.push(0);
    let mut attributes = sys::ProgLoad {
        kind: request.kind.number(),
        insn_count: (request.code.len() / SLOT) as u32,
        insns: sys::address(request.code),
        license: sys::address(&license),
        flags: if request.kind == ProgramKind::Syscall { SLEEPABLE } else { 0 },
        name: sys::object_name(request.name),
        expected_attach_type: request.attach,
        ..Default::default()
    };
    if !log.is_empty() {
        attributes.log_level = level;
        attributes.log_size = log.len() as u32;
        attributes.log_buffer = sys::address_mut(log);
    }
    if let Some(tables) = &request.tables {
        attributes.btf_fd = tables.btf.as_fd().as_raw_fd().cast_unsigned();
        attributes.func_info_record = FUNC_RECORD;
        attributes.func_info = sys::address(&tables.functions);
        attributes.func_info_count = tables.functions.len() as u32 / FUNC_RECORD;
        attributes.line_info_record = LINE_RECORD;
        attributes.line_info = sys::address(&tables.lines);
        attributes.line_info_count = tables.lines.len() as u32 / LINE_RECORD;
    }
    // SAFETY: every address is that of a live slice, with its length in the kernel's unit beside it; the licence ends
    // with a zero byte; the log is borrowed mutably.
    unsafe { sys::bpf_fd(Command::ProgLoad, &mut attributes) }
}

/// A program in the kernel.
#[derive(Debug)]
pub struct Program {
    pub(super) fd: OwnedFd,
    pub(super) name: String,
    pub(super) kind: ProgramKind,
    log: String,
    stats: Option<VerifierStats>,
}

impl Program {
    /// Loads with the log wanted on success; on failure again, for the log of `on_failure`.
    pub(super) fn load(
        request: &LoadRequest<'_>,
        on_success: LogLevel,
        on_failure: LogLevel,
    ) -> Result<Self, KernelError> {
        let (result, log) = load_logged(request, on_success);
        match result {
            Ok(fd) => {
                let stats = VerifierStats::parse(&log);
                Ok(Self { fd, name: request.name.into(), kind: request.kind, log, stats })
            }
            Err(source) => {
                let (_, log) = load_logged(request, on_failure);
                if log.trim().is_empty() {
                    // It was not the verifier: it never fails without a word.
                    return Err(KernelError::call(format!("loading program `{}`", request.name))(source));
                }
                Err(KernelError::Rejected { program: request.name.into(), log, source })
            }
        }
    }

    /// The program's name, in full.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program's kind.
    pub fn kind(&self) -> ProgramKind {
        self.kind
    }

    /// The verifier's log: as much as was asked for.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The verifier's numbers; none on kernels before 5.2.
    pub fn stats(&self) -> Option<&VerifierStats> {
        self.stats.as_ref()
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Loads with a log, in a buffer that grows as long as the kernel finds it too small: it fails then, whatever it
/// thinks of the program.
fn load_logged(request: &LoadRequest<'_>, level: LogLevel) -> (io::Result<OwnedFd>, String) {
    let mut size = level.buffer();
    loop {
        let mut log = vec![0; size];
        let result = load_raw(request, level.bits(), &mut log);
        let full = matches!(&result, Err(error) if error.raw_os_error() == Some(libc::ENOSPC));
        if !full || size >= LOG_LIMIT {
            return (result, sys::text(&log));
        }
        size *= 4;
    }
}
