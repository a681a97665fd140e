//! A doubly linked list of slot numbers, all operations in constant time.

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

/// Slots in an order. A slot stands in it at most once.
#[derive(Clone, Debug)]
pub(crate) struct List {
    links: Vec<Link>,
    first: u32,
    last: u32,
}

impl List {
    pub(crate) fn new() -> List {
        List { links: Vec::new(), first: NIL, last: NIL }
    }

    pub(crate) fn first(&self) -> Option<u32> {
        (self.first != NIL).then_some(self.first)
    }

    /// The one after `slot`, which is in the list.
    pub(crate) fn after(&self, slot: u32) -> Option<u32> {
        let after = self.links[slot as usize].after;
        (after != NIL).then_some(after)
    }

    fn set_after(&mut self, slot: u32, to: u32) {
        if slot == NIL { self.first = to } else { self.links[slot as usize].after = to }
    }

    fn set_before(&mut self, slot: u32, to: u32) {
        if slot == NIL { self.last = to } else { self.links[slot as usize].before = to }
    }

    fn put(&mut self, slot: u32, link: Link) {
        if self.links.len() <= slot as usize {
            self.links.resize(slot as usize + 1, Link { before: NIL, after: NIL });
        }
        self.links[slot as usize] = link;
        self.set_after(link.before, slot);
        self.set_before(link.after, slot);
    }

    pub(crate) fn push_last(&mut self, slot: u32) {
        self.put(slot, Link { before: self.last, after: NIL });
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        let Link { before, after } = self.links[slot as usize];
        self.set_after(before, after);
        self.set_before(after, before);
    }

    /// Puts `new` where `old` was.
    pub(crate) fn replace(&mut self, old: u32, new: u32) {
        let link = self.links[old as usize];
        self.put(new, link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(list: &List) -> Vec<u32> {
        std::iter::successors(list.first(), |&slot| list.after(slot)).collect()
    }

    #[test]
    fn order_survives_removal_and_replacement() {
        let mut list = List::new();
        for slot in [4, 0, 7, 2] {
            list.push_last(slot);
        }
        assert_eq!(slots(&list), [4, 0, 7, 2]);
        list.remove(0);
        list.replace(4, 9);
        list.replace(2, 1);
        assert_eq!(slots(&list), [9, 7, 1]);
        list.remove(9);
        list.remove(1);
        list.push_last(9);
        assert_eq!(slots(&list), [7, 9]);
        list.remove(7);
        list.remove(9);
        assert_eq!(list.first(), None);
    }
}
