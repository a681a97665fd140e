//! The maps of a module, by name and by number.

use std::collections::HashMap;

use crate::def::MapDef;
use crate::error::SetError;
use crate::map::Map;

/// Maps in the order of their definitions. A map's index is its place in that order.
#[derive(Clone, Debug, Default)]
pub struct MapSet {
    maps: Vec<Map>,
    by_name: HashMap<String, usize>,
}

impl MapSet {
    /// Makes all maps, for a machine of `cpus` CPUs.
    ///
    /// # Errors
    /// The first definition that is refused or that repeats a name.
    pub fn new(defs: impl IntoIterator<Item = MapDef>, cpus: u32) -> Result<MapSet, SetError> {
        let mut set = MapSet::default();
        for def in defs {
            set.add(def, cpus)?;
        }
        Ok(set)
    }

    /// Makes one more map and gives its index.
    ///
    /// # Errors
    /// The definition is refused or repeats a name; the set is then as before.
    pub fn add(&mut self, def: MapDef, cpus: u32) -> Result<usize, SetError> {
        if self.by_name.contains_key(&def.name) {
            return Err(SetError::Duplicate { name: def.name });
        }
        let map = Map::new(def, cpus)?;
        let index = self.maps.len();
        self.by_name.insert(map.def().name.clone(), index);
        self.maps.push(map);
        Ok(index)
    }

    /// How many maps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.maps.len()
    }

    /// Whether there is no map.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    /// The index of a name.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// A map by index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Map> {
        self.maps.get(index)
    }

    /// A map by index, to change.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Map> {
        self.maps.get_mut(index)
    }

    /// A map by name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Map> {
        self.get(self.index_of(name)?)
    }

    /// A map by name, to change.
    pub fn named_mut(&mut self, name: &str) -> Option<&mut Map> {
        self.get_mut(self.index_of(name)?)
    }

    /// The maps, by rising index.
    pub fn iter(&self) -> std::slice::Iter<'_, Map> {
        self.maps.iter()
    }

    /// The same, to change.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Map> {
        self.maps.iter_mut()
    }

    /// [`Map::quiesce`] on every map: for the end of a program's run.
    pub fn quiesce(&mut self) {
        for map in &mut self.maps {
            map.quiesce();
        }
    }
}

impl<'a> IntoIterator for &'a MapSet {
    type Item = &'a Map;
    type IntoIter = std::slice::Iter<'a, Map>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DefProblem, MapKind};

    fn def(name: &str, entries: u32) -> MapDef {
        let kind = MapKind::Array;
        MapDef { name: name.into(), kind, key_size: 4, value_size: 8, max_entries: entries, flags: 0 }
    }

    #[test]
    fn maps_are_found_by_name_and_by_index() {
        let mut set = MapSet::new([def("a", 1), def("b", 2)], 1).unwrap();
        assert_eq!(set.index_of("b"), Some(1));
        assert_eq!(set.named("b").map(Map::len), Some(2));
        assert_eq!(set.get(0).map(|map| map.def().name.as_str()), Some("a"));
        assert!(set.named("c").is_none() && set.get(2).is_none());
        set.named_mut("a").unwrap().update(&[0; 4], &[5; 8], 0, 0).unwrap();
        assert_eq!(set.iter_mut().next().unwrap().syscall().lookup(&[0; 4], 0), Ok(vec![5; 8]));
    }

    #[test]
    fn duplicates_and_bad_definitions_leave_the_set_alone() {
        let mut set = MapSet::new([def("a", 1)], 1).unwrap();
        assert_eq!(set.add(def("a", 1), 1), Err(SetError::Duplicate { name: "a".into() }));
        let refused = set.add(def("z", 0), 1);
        assert!(matches!(&refused, Err(SetError::Def(e)) if e.problem == DefProblem::ZeroEntries));
        assert_eq!(refused.unwrap_err().to_string(), "map `z`: max_entries is zero");
        assert_eq!((set.len(), set.index_of("z")), (1, None));
    }
}
