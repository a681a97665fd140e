//! BPF maps in memory, with the kernel's flags and error codes.
