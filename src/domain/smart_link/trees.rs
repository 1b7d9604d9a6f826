//! Tables of decision trees: how figures become log-odds, and which figure moved them how far.

use super::signs::Sign;
use super::{EvidenceKind, Signs};

/// A node of a tree. Its left child, if it has any, is the next node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The place of the sign that is looked at, in [`Sign::ALL`].
    sign: u8,
    /// How many nodes further on the right child is; 0 for a leaf.
    right: u8,
    /// Up to which figure the way goes left.
    at_most: f32,
    /// The log-odds that are known here, in sum with those of all other trees.
    value: f32,
}

/// A node as the learned tables write it.
pub(super) const fn n(sign: u8, at_most: f32, right: u8, value: f32) -> Node {
    Node { sign, right, at_most, value }
}

/// A leaf as the learned tables write it.
pub(super) const fn leaf(value: f32) -> Node {
    Node { sign: 0, right: 0, at_most: 0.0, value }
}

/// What each kind of evidence adds to the log-odds.
pub(super) type Shares = [f32; EvidenceKind::COUNT];

/// The log-odds without any figure: where all trees begin.
pub(super) fn start(trees: &[&[Node]]) -> f32 {
    trees.iter().filter_map(|tree| tree.first()).map(|root| root.value).sum()
}

/// The log-odds that `trees` give for `signs`.
pub(super) fn odds(trees: &[&[Node]], signs: &Signs) -> f32 {
    trees.iter().map(|tree| walk(tree, signs, |_, _| ())).sum()
}

/// Adds to `shares` what each kind of evidence moves the log-odds, from the start to their sum.
///
/// A step from a node to its child moves them by the difference of their values, and belongs to
/// the sign that was looked at (Ando Saabas, *Interpreting random forests*, 2014).
pub(super) fn share(trees: &[&[Node]], signs: &Signs, shares: &mut Shares) {
    for tree in trees {
        walk(tree, signs, |sign, moved| {
            let kind = Sign::ALL.get(usize::from(sign)).map(|sign| sign.kind());
            if let Some(share) = kind.and_then(|kind| shares.get_mut(kind as usize)) {
                *share += moved;
            }
        });
    }
}

/// Goes from the root to a leaf and returns the leaf's value; `step` sees each sign that is looked
/// at, and by how much the value changes.
#[inline]
fn walk(tree: &[Node], signs: &Signs, mut step: impl FnMut(u8, f32)) -> f32 {
    let figures = signs.all();
    let mut place = 0_usize;
    let Some(mut node) = tree.first() else { return 0.0 };
    while node.right > 0 {
        let figure = figures.get(usize::from(node.sign)).copied().unwrap_or_default();
        // One addition instead of a branch that nobody could foresee.
        let goes_right = usize::from(figure > node.at_most);
        place = place
            .saturating_add(1)
            .saturating_add(goes_right.saturating_mul(usize::from(node.right).saturating_sub(1)));
        let Some(child) = tree.get(place) else { break };
        step(node.sign, child.value - node.value);
        node = child;
    }
    node.value
}

/// Whether every way through the trees ends in a leaf and looks at signs that there are.
#[cfg(test)]
pub(super) fn is_sound(trees: &[&[Node]]) -> bool {
    let sound = |tree: &&[Node]| {
        tree.iter().enumerate().all(|(place, node)| {
            let right = usize::from(node.right);
            let inner = usize::from(node.sign) < Sign::ALL.len()
                && place.saturating_add(right) < tree.len();
            node.value.is_finite() && (right == 0 || (right > 1 && inner))
        })
    };
    !trees.is_empty() && trees.iter().all(sound)
}
