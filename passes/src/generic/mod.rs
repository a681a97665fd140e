//! Passes that serve every target.
