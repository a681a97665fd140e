//! Where the entities of a parsed module stand in its text.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diag::{Diagnostic, Entity, Span};
use crate::entity::{Block, FuncId};

/// A stretch of the text without its file's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: u32,
    /// From 1, in bytes.
    pub(super) col: u32,
    /// In bytes, at least 1.
    pub(super) len: u32,
}

/// The text's span of each entity: a function's header, an instruction, a slot, a declaration; of a block its
/// terminator.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    file: Arc<str>,
    places: HashMap<Entity, Place>,
    labels: HashMap<(FuncId, Block), Place>,
}

impl SourceMap {
    pub(super) fn new(file: Arc<str>) -> SourceMap {
        SourceMap { file, ..SourceMap::default() }
    }

    pub(super) fn add(&mut self, entity: Entity, place: Place) {
        self.places.insert(entity, place);
    }

    pub(super) fn add_label(&mut self, func: FuncId, b: Block, place: Place) {
        self.labels.insert((func, b), place);
    }

    fn span(&self, place: &Place) -> Span {
        Span { file: self.file.clone(), line: place.line, col: place.col, len: place.len }
    }

    /// The span of an entity; of a block, that of its terminator. `None` for what was not in the text.
    pub fn get(&self, entity: Entity) -> Option<Span> {
        self.places.get(&entity).map(|place| self.span(place))
    }

    /// The span of a block's label, `b3`.
    pub fn label(&self, func: FuncId, b: Block) -> Option<Span> {
        self.labels.get(&(func, b)).map(|place| self.span(place))
    }

    /// Gives a diagnostic on an entity the entity's span, unless it has one.
    #[must_use]
    pub fn locate(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        if diagnostic.span.is_none() {
            diagnostic.span = diagnostic.entity.and_then(|entity| self.get(entity));
        }
        diagnostic
    }
}
