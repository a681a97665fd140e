//! Running a program on given input, by `BPF_PROG_TEST_RUN`.

use std::os::fd::AsRawFd;
use std::time::Instant;

use super::sys::{self, Command};
use super::{KernelError, Program};
use crate::object::ProgramKind;

/// The least packet the kernel takes: an Ethernet header.
const MIN_PACKET: usize = 14;
/// A packet when none is given, of zeroes.
const DEFAULT_PACKET: usize = 64;
/// Room for what a program may put before and behind a packet.
const PACKET_ROOM: usize = 512;
/// The most arguments a raw tracepoint has, in bytes.
const RAW_ARGUMENTS: usize = 12 * 8;
/// A `syscall` program's context when none is given, of zeroes.
const DEFAULT_CONTEXT: usize = 256;

/// What a program is run on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunInput {
    /// The packet, for programs that take one: at least 14 bytes; if empty, 64 zero bytes.
    pub data: Vec<u8>,
    /// The context: `struct __sk_buff` or `xdp_md` for packet programs (optional); the arguments of a raw tracepoint,
    /// 8 bytes each (zeroes where none are given); whatever a `syscall` program reads (256 zero bytes if not given).
    pub ctx: Option<Vec<u8>>,
    /// How often it is run; 0 counts as 1.
    pub repeat: u32,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestRun {
    /// What the program returned, the last time.
    pub retval: u32,
    /// The packet afterwards; empty for programs without.
    pub data_out: Vec<u8>,
    /// The context afterwards, of packet programs if one was given, and of `syscall` programs.
    pub ctx_out: Vec<u8>,
    /// The mean time of a run, in nanoseconds. The kernel measures it for packet programs; for the others it includes
    /// the system call.
    pub duration_ns: u64,
}

impl Program {
    /// Runs the program.
    ///
    /// # Errors
    /// [`KernelError::Unsupported`] for kinds that the kernel cannot run so (tracepoint, kprobe, perf event), a packet
    /// that is too short, a context the kernel refuses.
    pub fn test_run(&self, input: &RunInput) -> Result<TestRun, KernelError> {
        match self.kind {
            ProgramKind::SocketFilter
            | ProgramKind::Classifier
            | ProgramKind::Action
            | ProgramKind::Xdp
            | ProgramKind::CgroupSkb => self.run_on_packet(input),
            ProgramKind::RawTracepoint => {
                let mut arguments = input.ctx.clone().unwrap_or_default();
                if arguments.len() > RAW_ARGUMENTS {
                    return Err(self.size("the context", arguments.len(), "at most 96 bytes are taken"));
                }
                // Reading past the arguments given is refused; arguments that do not matter may be left out.
                arguments.resize(RAW_ARGUMENTS, 0);
                let run = self.run_on_context(arguments, input.repeat)?;
                Ok(TestRun { ctx_out: Vec::new(), ..run })
            }
            ProgramKind::Syscall => {
                let context = input.ctx.clone().unwrap_or_else(|| vec![0; DEFAULT_CONTEXT]);
                self.run_on_context(context, input.repeat)
            }
            ProgramKind::Kprobe | ProgramKind::Tracepoint | ProgramKind::PerfEvent => {
                let what = format!(
                    "program `{}`: the kernel has no test run for {:?} programs",
                    self.name, self.kind
                );
                Err(KernelError::Unsupported { what })
            }
        }
    }

    fn run_on_packet(&self, input: &RunInput) -> Result<TestRun, KernelError> {
        let zeroes = [0; DEFAULT_PACKET];
        let data = if input.data.is_empty() { &zeroes[..] } else { &input.data };
        if data.len() < MIN_PACKET {
            return Err(self.size("the packet", data.len(), "an Ethernet header takes 14"));
        }
        let context = input.ctx.as_deref().unwrap_or_default();
        let mut data_out = vec![0; data.len() + PACKET_ROOM];
        let mut ctx_out = vec![0; context.len()];
        let mut attributes = sys::TestRun {
            fd: self.fd.as_raw_fd().cast_unsigned(),
            data_size_in: data.len() as u32,
            data_size_out: data_out.len() as u32,
            data_in: sys::address(data),
            data_out: sys::address_mut(&mut data_out),
            repeat: input.repeat.max(1),
            ..Default::default()
        };
        if !context.is_empty() {
            attributes.ctx_size_in = context.len() as u32;
            attributes.ctx_in = sys::address(context);
            attributes.ctx_size_out = ctx_out.len() as u32;
            attributes.ctx_out = sys::address_mut(&mut ctx_out);
        }
        self.run(&mut attributes)?;
        data_out.truncate(attributes.data_size_out as usize);
        ctx_out.truncate(attributes.ctx_size_out as usize);
        let duration_ns = attributes.duration.into();
        Ok(TestRun { retval: attributes.retval, data_out, ctx_out, duration_ns })
    }

    /// Runs a program that takes its context alone. The kernel does not repeat such runs, so that is done here.
    fn run_on_context(&self, mut context: Vec<u8>, repeat: u32) -> Result<TestRun, KernelError> {
        let repeat = repeat.max(1);
        let start = Instant::now();
        let mut retval = 0;
        for _ in 0..repeat {
            let mut attributes = sys::TestRun {
                fd: self.fd.as_raw_fd().cast_unsigned(),
                ctx_size_in: context.len() as u32,
                // A `syscall` program's context is written back to where it came from.
                ctx_in: sys::address_mut(&mut context),
                ..Default::default()
            };
            self.run(&mut attributes)?;
            retval = attributes.retval;
        }
        let duration_ns = (start.elapsed().as_nanos() / u128::from(repeat)) as u64;
        Ok(TestRun { retval, data_out: Vec::new(), ctx_out: context, duration_ns })
    }

    fn run(&self, attributes: &mut sys::TestRun) -> Result<(), KernelError> {
        loop {
            // SAFETY: the attributes come from the two functions above, where every address is that of a live buffer
            // with its length beside it, borrowed mutably where the kernel writes.
            match unsafe { sys::bpf(Command::TestRun, attributes) } {
                Ok(_) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                Err(source) => {
                    return Err(KernelError::call(format!("running program `{}`", self.name))(source));
                }
            }
        }
    }

    fn size(&self, what: &str, got: usize, expected: &str) -> KernelError {
        let what = format!("{what} for program `{}`", self.name);
        KernelError::Size { what, got, expected: expected.into() }
    }
}
