//! Which runs hang together: a union-find whose roots are the earliest runs.
//!
//! From: `component`, row by row.
//! To: the number of each run's part.

/// A run that no tree holds yet.
pub(super) const NO_TREE: u32 = u32::MAX;

/// Trees of runs that touch; a tree's root is its earliest member.
#[derive(Default)]
pub(super) struct Forest {
    parent: Vec<u32>,
    /// The tree of each run of the row at hand.
    row: Vec<u32>,
}

impl Forest {
    /// Starts a row of so many runs.
    pub(super) fn start_row(&mut self, runs: usize) {
        self.row.clear();
        self.row.resize(runs, NO_TREE);
    }

    fn root(&mut self, mut tree: u32) -> u32 {
        while self.parent[tree as usize] != tree {
            let above = self.parent[tree as usize];
            self.parent[tree as usize] = self.parent[above as usize];
            tree = self.parent[tree as usize];
        }
        tree
    }

    /// Puts run `at` of the row into the tree of an earlier run.
    pub(super) fn join(&mut self, at: usize, earlier: u32) {
        let root = self.root(earlier);
        self.row[at] = if self.row[at] == NO_TREE {
            root
        } else {
            let own = self.root(self.row[at]);
            self.parent[own.max(root) as usize] = own.min(root);
            own.min(root)
        };
    }

    /// The tree of run `at` of the row; a new one when it touches nothing earlier.
    pub(super) fn tree(&mut self, at: usize) -> u32 {
        if self.row[at] == NO_TREE {
            // No more trees than runs, so fewer than 2^32.
            self.row[at] = self.parent.len() as u32;
            self.parent.push(self.row[at]);
        }
        self.row[at]
    }

    /// The part of each tree, numbered by their roots, and how many there are.
    pub(super) fn numbers(self) -> (Vec<u32>, usize) {
        let mut numbers = self.parent;
        let mut parts = 0_u32;
        for tree in 0..numbers.len() {
            // A parent stands before its child, so its number is already known.
            numbers[tree] = if numbers[tree] as usize == tree {
                parts += 1;
                parts - 1
            } else {
                numbers[numbers[tree] as usize]
            };
        }
        (numbers, parts as usize)
    }
}
