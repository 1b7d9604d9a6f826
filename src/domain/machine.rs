//! State machines: a table of what follows what, read one way.

use crate::error::Error;

/// The state of a `noun` after `action`, or `None` if it is one that the action leads to already:
/// asking for the state one is in changes nothing.
///
/// # Errors
///
/// [`Error::InvalidTransition`] when the action is not allowed here; it names what is.
pub(super) fn after<S, A>(
    noun: &'static str,
    table: &[(S, A, S)],
    (from, from_word): (S, &'static str),
    (action, action_word): (A, &'static str),
    word: fn(A) -> &'static str,
) -> Result<Option<S>, Error>
where
    S: Copy + PartialEq,
    A: Copy + PartialEq,
{
    let allowed = || table.iter().filter(move |(state, _, _)| *state == from);
    if let Some((_, _, to)) = allowed().find(|(_, by, _)| *by == action) {
        return Ok(Some(*to));
    }
    if table.iter().any(|(_, by, to)| *by == action && *to == from) {
        return Ok(None);
    }
    let allowed = allowed().map(|(_, by, _)| word(*by)).collect();
    Err(Error::InvalidTransition { noun, from: from_word, action: action_word, allowed })
}
