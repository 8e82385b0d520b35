//! The valid word that someone most likely meant.

/// Closest of `words` to `word`, by Jaro-Winkler similarity without regard to case. A word far from
/// all of them still gets the closest: an error always names a valid word.
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Similarity is quadratic in length, and nobody means a word longer than this.
    let word: String = word.chars().take(64).collect::<String>().to_lowercase();
    words
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typing_slips_find_their_word() {
        let words = ["dev", "small", "medium", "large"];
        for (typed, meant) in
            [("smal", "small"), ("Medum", "medium"), ("lrage", "large"), ("dve", "dev")]
        {
            assert_eq!(nearest(typed, words), Some(meant));
        }
        assert_eq!(nearest("x", []), None);
    }
}
