//! What can be wrong with a profile, each in one line.

/// A profile that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The name is no profile and no file.
    #[error(
        "no profile is called `{name}`; the nearest is `{nearest}` (dev, small, medium, large, or the path of a YAML file)"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name.
        nearest: String,
    },
    /// The file could not be read.
    #[error("{file}: cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The file is not valid YAML, or what it says cannot be.
    #[error("{file}:{line}: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// Line, from 1.
        line: u64,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl ProfileError {
    /// One line, whatever a file contained.
    pub(crate) fn invalid(file: &str, line: u64, message: &str) -> Self {
        let mut one_line: String = message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MAX_MESSAGE_CHARS)
            .collect();
        if message.chars().nth(MAX_MESSAGE_CHARS).is_some() {
            one_line.push('…');
        }
        Self::Invalid { file: file.to_owned(), line: line.max(1), message: one_line }
    }
}

/// Longest message that still reads as one line.
const MAX_MESSAGE_CHARS: usize = 300;
