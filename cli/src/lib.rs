//! The larrow command-line tool, as a library: what the tests and the binary share.
