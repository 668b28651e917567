//! The nearest one to a name that no field has.

/// The name that is a few slips of the hand away.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Longer ones are no slip of the hand, and not worth the time.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let plain = name.to_ascii_lowercase().replace('-', "_");
    let distances = names.map(|known| (strsim::damerau_levenshtein(&plain, known), known));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (near.len() / 3).clamp(1, 4)).then_some(near)
}
