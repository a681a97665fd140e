//! Larrow's reference interpreter.
