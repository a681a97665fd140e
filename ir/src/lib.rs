//! Larrow's SSA IR: types, functions, modules, text format, verifier, control-flow analyses.
