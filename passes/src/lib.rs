//! Larrow's pass manager, pipeline and passes.
