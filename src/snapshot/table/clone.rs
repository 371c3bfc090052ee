//! `Clone` and `Default` of the parts of a table: derived ones would ask them of the entries too.

use super::{Branch, CacheLine, Leaf, Node, SLOTS, Table};

impl<T, S: Clone> Clone for Table<T, S> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            overflow: self.overflow.clone(),
            hasher: self.hasher.clone(),
        }
    }
}

impl<T> Clone for Branch<T> {
    fn clone(&self) -> Self {
        Self {
            children_at: self.children_at,
            children: self.children.clone(),
        }
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Branch(branch) => Self::Branch(branch.clone()),
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
        }
    }
}

impl<T> Clone for Leaf<T> {
    fn clone(&self) -> Self {
        Self {
            lines: self.lines.each_ref().map(|line| CacheLine {
                tags: line.tags,
                entries: line.entries.clone(),
            }),
        }
    }
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        let empty = || CacheLine {
            tags: [0; SLOTS + 1],
            entries: [const { None }; SLOTS],
        };
        Self {
            lines: std::array::from_fn(|_| empty()),
        }
    }
}
